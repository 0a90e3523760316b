/* Exact elimination over lanes of pivot states, without allocation and without Python.

   What the arrays mean is said in program.py and rows.py, which fill them and check their bounds. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAX_INNER 62
#define MAX_COLUMNS 1024
#define MAX_FACTORS 2304
#define MAX_INPUTS 48
#define MAX_STEPS 1024
#define ROWS_AT_ONCE 256

typedef uint64_t mask_t; /* a bit for each bit of the inner variables */

typedef struct {
    int32_t lanes, columns, inner, groups;
    const int32_t *column_inner, *column_states, *column_shift;
    const mask_t *column_mask;
    const int64_t *column_table; /* addresses of P(state | lane, inner parents), shape (panels, states, 2^bits, 32) */
    const int64_t *table_panel;
    const mask_t *inner_mask, *prior_mask;
    const int32_t *topological, *inner_states;
    mask_t weights_mask;
    const int32_t *group; /* of each lane; -1 for padding */
    const void *ones;
} hg_program;

typedef struct {
    int64_t rows;
    const int32_t *codes;       /* shape (rows, columns); negative where nothing was seen */
    const int32_t *column_first; /* the entry of each column's code 0 */
    const int64_t *entry_at;    /* address of an entry's blocks */
    const int32_t *entry_state; /* the state that an entry fixes an inner variable to, or negative */
    const int64_t *column_panel; /* elements between panels */
    const mask_t *column_mask; /* the bits that the entries hold: those of the column, or fewer */
    const int64_t *prior_at, *prior_panel, *prior_stride, *prior_set;
    const void *weights;
    const int64_t *weights_at;
    int64_t weights_panel;
    const uint8_t *wanted; /* columns whose joint is wanted though nothing was seen; only for surveys */
    mask_t wanted_bits;  /* inner variables that are wanted */
    const uint8_t *loose;  /* columns that stay factors though their evidence leaves them one state; may be NULL */
    void *scratch;
    int64_t scratch_bytes;
    double *value;
    int32_t *exponent;
    uint8_t *flags;
    double *posterior, *lane_posterior, *evidence_log;
    void *steps;
    double *joints;
    int64_t work;
} hg_batch;

static inline mask_t soft_pext(mask_t value, mask_t mask) {
    mask_t found = 0;
    for (mask_t bit = 1; mask; bit += bit) {
        if (value & mask & -mask) found |= bit;
        mask &= mask - 1;
    }
    return found;
}

/* Lanes below are scaled up by the inverse; powers of two, so that nothing is rounded. */
#define FLOAT_SMALL 0x1p-40f
#define FLOAT_SMALL_EXPONENT 40
#define DOUBLE_SMALL 0x1p-400
#define DOUBLE_SMALL_EXPONENT 400

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define X86 1
#endif

#define PANEL 16
#include "variants.h"
#undef PANEL
#define PANEL 32
#include "variants.h"
#undef PANEL

/* 2: AVX-512, 1: AVX2, 0: whatever the compiler makes of it. */
int hg_level(void) {
#ifdef X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("bmi2")) return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return 1;
#endif
    return 0;
}

typedef void (*hg_rows_function)(const hg_program *, hg_batch *, int);

static hg_rows_function rows_function(int level, int is_double, int panel) {
#define CHOOSE(variant) (is_double ? (panel == 16 ? rows_16_double_##variant : rows_32_double_##variant) \
                                   : (panel == 16 ? rows_16_float_##variant : rows_32_float_##variant))
#ifdef X86
    if (level == 2) return CHOOSE(avx512);
    if (level == 1) return CHOOSE(avx2);
#endif
    return CHOOSE(plain);
}

/* Up to 16 lanes are one panel of 16; more are panels of 32. */
static void panels(int level, int is_double, const hg_program *program, hg_batch *batch) {
    const int width = program->lanes <= 16 ? 16 : 32;
    for (int panel = 0; panel * width < program->lanes; panel++)
        rows_function(level, is_double, width)(program, batch, panel);
}

static void group_row(const hg_program *program, hg_batch *batch, int64_t row, int64_t at) {
    const double *value = batch->value + row * program->lanes;
    const int32_t *exponent = batch->exponent + row * program->lanes;
    int most = INT32_MIN, plain = 1;
    for (int lane = 0; lane < program->lanes; lane++)
        if (value[lane] > 0) {
            if (most != INT32_MIN && exponent[lane] != most) plain = 0;
            most = exponent[lane] > most ? exponent[lane] : most;
        }
    double *posterior = batch->posterior + at * program->groups, total = 0;
    double *lanes = batch->lane_posterior ? batch->lane_posterior + at * program->lanes : NULL;
    double scaled[program->lanes];
    for (int lane = 0; lane < program->lanes; lane++) {
        scaled[lane] = plain || !(value[lane] > 0) ? value[lane] : ldexp(value[lane], exponent[lane] - most);
        total += scaled[lane];
    }
    for (int group = 0; group < program->groups; group++) posterior[group] = 0;
    double inverse = total > 0 ? 1 / total : 0;
    for (int lane = 0; lane < program->lanes; lane++)
        if (program->group[lane] >= 0) posterior[program->group[lane]] += scaled[lane] * inverse;
    if (lanes)
        for (int lane = 0; lane < program->lanes; lane++) lanes[lane] = scaled[lane] * inverse;
    if (batch->evidence_log) batch->evidence_log[at] = total > 0 ? log(total) + most * 0.6931471805599453 : -INFINITY;
}

/* Posteriors of all rows, a few hundred at a time, so that what passes between the two loops stays in cache. */
void hg_run(int level, int is_double, const hg_program *program, hg_batch *batch) {
    hg_batch part = *batch;
    for (int64_t first = 0; first < batch->rows; first += ROWS_AT_ONCE) {
        part.rows = batch->rows - first < ROWS_AT_ONCE ? batch->rows - first : ROWS_AT_ONCE;
        part.codes = batch->codes + first * program->columns;
        part.weights_at = batch->weights_at + first;
        part.prior_set = batch->prior_set ? batch->prior_set + first : NULL;
        part.flags = batch->flags + first;
        panels(level, is_double, program, &part);
        for (int64_t row = 0; row < part.rows; row++) group_row(program, &part, row, first + row);
    }
    batch->work = part.work;
}

void hg_survey(int level, const hg_program *program, hg_batch *batch) {
    const int width = program->lanes <= 16 ? 16 : 32;
    for (int panel = 0; panel * width < program->lanes; panel++) {
#define SURVEY_OF(variant) (width == 32 ? survey_32_double_##variant : survey_16_double_##variant)(program, batch, panel)
#ifdef X86
        if (level == 2) { SURVEY_OF(avx512); continue; }
        if (level == 1) { SURVEY_OF(avx2); continue; }
#endif
        SURVEY_OF(plain);
    }
    group_row(program, batch, 0, 0);
}

int64_t hg_step_bytes(void) { return MAX_STEPS * (int64_t)(sizeof(step_32_double_plain) + 64); }
int32_t hg_rows_at_once(void) { return ROWS_AT_ONCE; }
