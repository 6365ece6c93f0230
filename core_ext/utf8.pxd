"""Tells what bytes of text are: UTF-8 or not, with or without characters that a key or a name may not hold."""

from libc.stdint cimport uint8_t, uint64_t

from core_ext.words cimport below, equal, first_hit, high, word_at


cdef inline bint has_control(const uint8_t* cell, Py_ssize_t length) noexcept nogil:
    """Tells whether UTF-8 text holds U+0000-001F or U+007F-009F."""
    cdef Py_ssize_t at = 0
    cdef uint64_t word
    if length >= 8:
        # Whole words first, the last one over the text's end; only a suspect one is looked at byte by byte.
        while True:
            word = word_at(cell + at)
            if below(word, 32) | equal(word, 127) | equal(word, 0xC2):
                break
            if at + 8 >= length:
                return False
            at = at + 8 if at + 16 <= length else length - 8
    for at in range(length):
        if cell[at] < 32 or cell[at] == 127 or (cell[at] == 0xC2 and cell[at + 1] < 0xA0):
            return True
    return False


cdef inline bint has_gap(const uint8_t* cell, Py_ssize_t length) noexcept nogil:
    """Tells whether UTF-8 text holds a control character, a space of any width, an invisible mark or a comma."""
    cdef Py_ssize_t at = 0
    cdef uint64_t word
    cdef uint8_t second, third
    if length >= 8:
        while True:
            word = word_at(cell + at)
            if below(word, 33) | equal(word, 127) | equal(word, 44) | high(word):
                break
            if at + 8 >= length:
                return False
            at = at + 8 if at + 16 <= length else length - 8
    for at in range(length):
        if cell[at] <= 32 or cell[at] == 44 or cell[at] == 127:
            return True
        if cell[at] < 0xC2:
            continue
        second = cell[at + 1]
        if cell[at] == 0xC2 and second <= 0xA0:
            return True
        if cell[at] < 0xE1 or cell[at] > 0xEF:
            continue
        third = cell[at + 2]
        if cell[at] == 0xE1 and second == 0x9A and third == 0x80:
            return True
        if cell[at] == 0xE2 and second == 0x80 and (third <= 0x8F or 0xA8 <= third <= 0xAF):
            return True
        if cell[at] == 0xE2 and second == 0x81 and 0x9F <= third <= 0xAF:
            return True
        if cell[at] == 0xE3 and second == 0x80 and third == 0x80:
            return True
        if cell[at] == 0xEF and second == 0xBB and third == 0xBF:
            return True
    return False


cdef inline bint is_utf8(const uint8_t* text, Py_ssize_t length) noexcept nogil:
    """Tells whether bytes are UTF-8: shortest forms only, no surrogates, nothing above U+10FFFF."""
    cdef Py_ssize_t at = 0, more
    cdef uint64_t word
    cdef uint8_t byte, least, most
    while at < length:
        if at + 8 <= length:
            word = high(word_at(text + at))
            if word == 0:
                at += 8
                continue
            at += first_hit(word)
        byte = text[at]
        at += 1
        if byte < 0x80:
            continue
        least = 0x80
        most = 0xBF
        if 0xC2 <= byte <= 0xDF:
            more = 1
        elif 0xE0 <= byte <= 0xEF:
            more = 2
            if byte == 0xE0:
                least = 0xA0
            elif byte == 0xED:
                most = 0x9F
        elif 0xF0 <= byte <= 0xF4:
            more = 3
            if byte == 0xF0:
                least = 0x90
            elif byte == 0xF4:
                most = 0x8F
        else:
            return False
        if at + more > length or text[at] < least or text[at] > most:
            return False
        at += 1
        more -= 1
        while more:
            if text[at] & 0xC0 != 0x80:
                return False
            at += 1
            more -= 1
    return True
