/* Is included once a set of instructions: writes every state and its offset.
   Returns their bytes, or -1 with (row, field, fault, detail) in ``fault``. */
static int64_t ENCODE_NAME(encode_rows)(const encode_op *ops, int64_t count, const int64_t *rows, int64_t n,
                                        int64_t *offsets, uint8_t *out, int64_t *fault, encode_utf8_t utf8) {
    uint8_t *p = out;
    for (int64_t row = 0; row < n; row++) {
        const int64_t i = rows[row];
        offsets[row] = p - out;
        for (const encode_op *op = ops; op < ops + count; op++) {
            int64_t start, size;
            int code = 0, absent = 0;
            memcpy(p, op->head, 8);
            p += op->head_size;
            switch (op->put) {
            case PUT_INTS:
                p = ENCODE_NAME(encode_ints)(p, (const int64_t *)(op->values + i * op->stride), op->width, 0, &absent);
                break;
            case PUT_GATHERED:
                p = ENCODE_NAME(encode_gathered)(p, op, i);
                break;
            case PUT_TEXT:
                start = op->offsets[i];
                size = op->offsets[i + 1] - start;
                p = encode_length(p, size, 0xA0, 32, 0xD9);
                if (!ENCODE_NAME(encode_text)(p, op->data + start, size, op->size - start, utf8)) code = BAD_TEXT;
                p += size;
                break;
            case PUT_ARRAY:
                p = ENCODE_NAME(encode_ints)(p, (const int64_t *)(op->values + i * op->stride), op->width, 0, &absent);
                if (absent) code = BAD_CELL;
                break;
            case PUT_OPTIONAL:
                if (op->present[i] == 0) {
                    /* The head of the array is written already. */
                    p[-op->size] = 0xC0;
                    p -= op->size - 1;
                } else {
                    p = ENCODE_NAME(encode_ints)(p, (const int64_t *)(op->values + i * op->stride), op->width, 1, &absent);
                }
                break;
            case PUT_RAW:
                /* One of the choices: raw msgpack without a head of its own. */
                start = op->values ? ((const int64_t *)op->values)[i] : 0;
                if (start < 0 || start >= op->width) {
                    code = BAD_CHOICE;
                    fault[3] = start;
                    break;
                }
                size = op->offsets[start + 1] - op->offsets[start];
                /* Behind the choices there is slack to read, as there is behind the state to write. */
                memcpy(p, op->data + op->offsets[start], 32);
                if (size > 32) memcpy(p, op->data + op->offsets[start], (size_t)size);
                p += size;
                break;
            case PUT_BINARY:
                start = op->offsets[i];
                size = op->offsets[i + 1] - start;
                p = encode_length(p, size, 0, 0, 0xC4);
                memcpy(p, op->data + start, (size_t)size);
                p += size;
                break;
            default:
                break;
            }
            if (__builtin_expect(code, 0)) {
                fault[0] = row;
                fault[1] = op->field;
                fault[2] = code;
                return -1;
            }
        }
    }
    offsets[n] = p - out;
    return p - out;
}
