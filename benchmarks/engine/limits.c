/* What the machine can do at most: gathered blocks multiplied into registers, bytes streamed, multiply-adds. */

#include <stdint.h>
#include <string.h>

typedef float vec __attribute__((vector_size(64), aligned(64), may_alias));

/* Multiply blocks of 32 floats at the given offsets into registers: four products at once, so that what is measured is
   loading and not the time that one multiplication waits for the last. */
float limit_gather(const float *table, const uint32_t *offsets, int64_t count, int64_t repeats) {
    vec total = {0};
    for (int64_t r = 0; r < repeats; r++) {
        vec a0, a1, b0, b1, c0, c1, d0, d1;
        a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = (vec){0} + 1;
        for (int64_t i = 0; i + 4 <= count; i += 4) {
            const vec *p = (const vec *)(table + offsets[i]), *q = (const vec *)(table + offsets[i + 1]);
            const vec *s = (const vec *)(table + offsets[i + 2]), *t = (const vec *)(table + offsets[i + 3]);
            a0 *= p[0], a1 *= p[1];
            b0 *= q[0], b1 *= q[1];
            c0 *= s[0], c1 *= s[1];
            d0 *= t[0], d1 *= t[1];
        }
        total += a0 + a1 + b0 + b1 + c0 + c1 + d0 + d1;
    }
    return total[0] + total[15];
}

/* Copy, `repeats` times: bytes read and bytes written are counted by the caller. */
void limit_stream(float *to, const float *from, int64_t count, int64_t repeats) {
    for (int64_t r = 0; r < repeats; r++) {
        memcpy(to, from, (size_t)count * sizeof *to);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
}

/* 12 independent chains of multiply-adds of 16 floats: 384 operations a turn. */
float limit_flops(int64_t turns) {
    vec a[12], x = (vec){0} + 0.999999f, y = (vec){0} + 1e-7f;
    for (int i = 0; i < 12; i++) a[i] = (vec){0} + (float)i;
    for (int64_t t = 0; t < turns; t++)
        for (int i = 0; i < 12; i++) a[i] = a[i] * x + y;
    vec total = {0};
    for (int i = 0; i < 12; i++) total += a[i];
    return total[0] + total[15];
}
