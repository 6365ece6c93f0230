"""Pays institutions by fixed amount, DRG, DIP or package: agency and institution only, a person's benefit stays."""
