"""Defines the event that books a claim anew: under another policy, or by what a register says since."""

from ledger.event import Event


class ClaimResettled(Event, frozen=True):
    """Books a settled claim anew: what stood is reversed in full, ``amounts`` stand instead (AMOUNTS, fen).

    ``claim`` is the position of its ClaimFiled, ``original`` that of the decision it replaces (ClaimSettled, or an
    earlier ClaimResettled), ``basis`` BASIS_RESETTLED, ``period`` the open clearing period it books into. ``reversed``
    are the amounts that stood. ``before`` and ``delta`` are the accumulators now and what changes in them; ``start``
    and ``contribution`` those the new amounts were decided from and what they add, ``balance_fen`` the account then.
    The facts and keys are those of the ClaimFiled. ``policy`` decides now, ``replaced`` did; ``replay`` names the
    replay that found the difference. ``reversed_pool`` is the insurance type whose pool paid what stood, 0 the claim's
    own, ``reversed_hospital_fen`` the hospital's share beside the claim's own; those that stand now are in ``how``.
    Where it is flagged as divided, a StayPartCounted that names it moves each other year in which the stay counts now
    or counted before.
    """

    TOPIC = "claim-resettled/1"
    cause: int
    row: int
    claim: int
    original: int
    basis: int
    period: int
    policy: bytes
    flags: int
    amounts: tuple[int, ...]
    balc: int
    before: tuple[int, ...]
    delta: tuple[int, ...]
    how: tuple[int, ...]
    year: int
    token: int
    insu_admdvs: int
    mdtrtarea_admvs: int
    insured_region: int
    treatment_region: int
    hosp_lv: int
    insutype: int
    psn_type: int
    med_type: int
    begndate: int
    enddate: int
    setl_time: int
    medfee_sumamt: int
    fulamt_ownpay_amt: int
    overlmt_selfpay: int
    preselfpay_amt: int
    inscp_scp_amt: int
    hosp_part_amt: int
    setl_id: str
    mdtrt_id: str
    medins_setl_id: str
    fixmedins_code: str
    init_setl_id: str
    reversed: tuple[int, ...]
    start: tuple[int, ...]
    contribution: tuple[int, ...]
    balance_fen: int
    replay: bytes
    replaced: bytes
    reversed_pool: int = 0
    reversed_hospital_fen: int = 0
