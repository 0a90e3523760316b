/* The inner loops, included once for every element type, vector width and panel of lanes (see kernel.c).

   A factor is an array of blocks of lanes over some bits; the block of an assignment A lies at pext(A, mask). To
   eliminate a variable is to multiply the factors that hold its bits over the union of their bits and to sum its states
   out. Lanes never meet: all is conditional on the pivot, one lane for each of its states. */

#define PASTE3(a, b, c) a##_##b##_##c
#define NAMED3(a, b, c) PASTE3(a, b, c)
#define NAME(x) NAMED3(x, PANEL, VARIANT)

typedef REAL NAME(vec) __attribute__((vector_size(VECTOR_BYTES), aligned(VECTOR_BYTES), may_alias));
#define VEC NAME(vec)
#define WIDTH ((int)(VECTOR_BYTES / sizeof(REAL)))
#define VECTORS (PANEL / WIDTH)

typedef struct {
    const REAL *at;
    REAL *adjoint;
    mask_t mask, index; /* the bits it holds, and those that tell its blocks apart: none where all are one */
} NAME(factor);
#define FACTOR NAME(factor)

typedef struct {
    int32_t count, out;
    mask_t separator, summed;
    int32_t inputs[MAX_INPUTS];
    REAL scale[PANEL];
} NAME(step);
#define STEP NAME(step)

typedef struct {
    FACTOR factors[MAX_FACTORS];
    int32_t next[MAX_FACTORS];  /* lists of factors by the lowest hidden bit they hold; the last list has none */
    int32_t bucket[65];
    int32_t alive[MAX_FACTORS];
    int32_t count, living;
    int32_t column_factor[MAX_COLUMNS], prior_factor[MAX_INNER + 1];
    mask_t fixed, hidden;
    char *free, *end;
    STEP *steps;
    int32_t step_count, keep;
    int32_t exponent[PANEL], raised[PANEL]; /* value * 2^exponent is meant; raised is the part of the last product */
    int64_t work;
    int failed;
} NAME(state);
#define STATE NAME(state)

TARGET static REAL *NAME(allocate)(STATE *state, int64_t blocks) {
    char *at = state->free;
    state->free += blocks * PANEL * (int64_t)sizeof(REAL);
    if (state->free > state->end) {
        state->failed = 1;
        return NULL;
    }
    return (REAL *)at;
}

TARGET static int NAME(add)(STATE *state, const REAL *at, mask_t mask, mask_t index) {
    if (state->count >= MAX_FACTORS) {
        state->failed = 1;
        return 0;
    }
    FACTOR factor = {at, NULL, mask, index};
    state->factors[state->count] = factor;
    return state->count++;
}

/* Put a factor where the first of its hidden variables will be eliminated. */
TARGET static inline void NAME(place)(STATE *state, int number) {
    const mask_t mask = state->factors[number].mask & state->hidden;
    const int at = mask ? __builtin_ctzll(mask) : 64;
    state->next[number] = state->bucket[at];
    state->bucket[at] = number;
}

#define MULTIPLY_SUM(K)                                                                                               \
    do {                                                                                                              \
        mask_t s = 0;                                                                                               \
        do {                                                                                                          \
            VEC total[VECTORS];                                                                                       \
            for (int v = 0; v < VECTORS; v++) total[v] = (VEC){0};                                                    \
            mask_t x = 0;                                                                                           \
            do {                                                                                                      \
                mask_t a = fixed | s | x;                                                                           \
                const VEC *p = (const VEC *)(at[0] + (int64_t)PEXT(a, index[0]) * PANEL);                          \
                VEC term[VECTORS];                                                                                    \
                for (int v = 0; v < VECTORS; v++) term[v] = p[v];                                                     \
                for (int j = 1; j < (K); j++) {                                                                       \
                    p = (const VEC *)(at[j] + (int64_t)PEXT(a, index[j]) * PANEL);                                 \
                    for (int v = 0; v < VECTORS; v++) term[v] *= p[v];                                                \
                }                                                                                                     \
                for (int v = 0; v < VECTORS; v++) total[v] += term[v];                                                \
                x = (x - summed) & summed;                                                                            \
            } while (x);                                                                                              \
            for (int v = 0; v < VECTORS; v++) {                                                                       \
                ((VEC *)out)[v] = total[v];                                                                           \
                most[v] += total[v];                                                                                  \
            }                                                                                                         \
            out += PANEL;                                                                                             \
            s = (s - separator) & separator;                                                                          \
        } while (s);                                                                                                  \
    } while (0)

/* Multiply factors over separator | summed and sum the latter out; return the message. */
TARGET static int NAME(send)(STATE *state, const int32_t *inputs, int count, mask_t separator, mask_t summed) {
    const REAL *at[MAX_INPUTS];
    mask_t index[MAX_INPUTS];
    for (int j = 0; j < count; j++) {
        FACTOR *factor = &state->factors[inputs[j]];
        at[j] = factor->at;
        index[j] = factor->index;
    }
    const int64_t blocks = (int64_t)1 << __builtin_popcountll(separator);
    REAL *start = NAME(allocate)(state, blocks);
    if (state->failed) return 0;
    const mask_t fixed = state->fixed;
    REAL *out = start;
    VEC most[VECTORS];
    for (int v = 0; v < VECTORS; v++) most[v] = (VEC){0};
    state->work += (blocks << __builtin_popcountll(summed)) * count;
    switch (count) {
        case 1: MULTIPLY_SUM(1); break;
        case 2: MULTIPLY_SUM(2); break;
        case 3: MULTIPLY_SUM(3); break;
        case 4: MULTIPLY_SUM(4); break;
        default: MULTIPLY_SUM(count);
    }
    REAL scale[PANEL], top[PANEL];
    int rescale = 0;
    memcpy(top, most, sizeof top);
    for (int lane = 0; lane < PANEL; lane++) rescale |= (top[lane] < SMALL) & (top[lane] > 0);
    if (rescale) {
        for (int lane = 0; lane < PANEL; lane++) {
            const int small = (top[lane] < SMALL) & (top[lane] > 0);
            scale[lane] = small ? 1 / SMALL : 1;
            state->exponent[lane] -= small * SMALL_EXPONENT;
        }
        for (int64_t block = 0; block < blocks; block++)
            for (int lane = 0; lane < PANEL; lane++) start[block * PANEL + lane] *= scale[lane];
    }
    int made = NAME(add)(state, start, separator, separator);
    if (state->keep) {
        if (state->step_count >= MAX_STEPS) {
            state->failed = 1;
            return 0;
        }
        STEP *step = &state->steps[state->step_count++];
        step->count = count;
        step->out = made;
        step->separator = separator;
        step->summed = summed;
        memcpy(step->inputs, inputs, (size_t)count * sizeof *inputs);
        for (int lane = 0; lane < PANEL; lane++) step->scale[lane] = rescale ? scale[lane] : 1;
    }
    return made;
}

/* Eliminate the bits of one variable. Factors that fit well inside the whole are first multiplied among themselves. */
TARGET static void NAME(eliminate)(STATE *state, mask_t variable) {
    int32_t inputs[MAX_INPUTS];
    const mask_t summed = variable & state->hidden;
    int count = 0;
    mask_t whole = 0;
    for (int number = state->bucket[__builtin_ctzll(summed)]; number >= 0; number = state->next[number]) {
        if (count == MAX_INPUTS) {
            state->failed = 1;
            return;
        }
        inputs[count++] = number;
        whole |= state->factors[number].mask;
    }
    whole &= state->hidden;
    while (count > 2) {
        int first = 0, second = 1, least = 65;
        for (int i = 0; i < count; i++)
            for (int j = i + 1; j < count; j++) {
                mask_t both = (state->factors[inputs[i]].mask | state->factors[inputs[j]].mask) & state->hidden;
                int bits = __builtin_popcountll(both);
                if (bits < least) least = bits, first = i, second = j;
            }
        if (least + 2 > __builtin_popcountll(whole)) break;
        int32_t pair[2] = {inputs[first], inputs[second]};
        mask_t both = (state->factors[pair[0]].mask | state->factors[pair[1]].mask) & state->hidden;
        int made = NAME(send)(state, pair, 2, both, 0);
        if (state->failed) return;
        inputs[first] = made;
        inputs[second] = inputs[--count];
    }
    int made = NAME(send)(state, inputs, count, whole & ~summed, summed);
    if (!state->failed) NAME(place)(state, made);
}

/* Take the evidence of one row: fix what is known outright, and list the factors that matter. */
TARGET static void NAME(begin)(STATE *state, const hg_program *program, const hg_batch *batch, int64_t row, int panel) {
    const int32_t *codes = batch->codes + row * program->columns;
    const int64_t set = batch->prior_set ? batch->prior_set[row] : 0;
    mask_t needed = batch->wanted_bits, known = 0;
    state->fixed = 0;
    state->count = state->step_count = state->failed = 0;
    memset(state->exponent, 0, sizeof state->exponent);
    memset(state->raised, 0, sizeof state->raised);
    for (int c = 0; c < program->columns; c++) {
        const int32_t code = codes[c], entry = batch->column_first[c] + code;
        const mask_t mask = code < 0 ? program->column_mask[c] : batch->column_mask[c];
        state->column_factor[c] = -1;
        if (code < 0) { /* not seen: it matters only to whoever wants its posterior */
            if (!state->keep || program->column_inner[c] || !batch->wanted[c]) continue;
            state->column_factor[c] = NAME(add)(state, (const REAL *)program->ones, mask, 0);
        } else if (batch->entry_state[entry] >= 0 && !(batch->loose && batch->loose[c])) {
            state->fixed |= (mask_t)batch->entry_state[entry] << program->column_shift[c];
            known |= mask;
        } else {
            const REAL *at = (const REAL *)(uintptr_t)batch->entry_at[entry] + panel * batch->column_panel[c];
            state->column_factor[c] = NAME(add)(state, at, mask, mask);
        }
        needed |= mask;
    }
    for (int i = program->inner - 1; i >= 0; i--) { /* children first, so that what they need is known */
        const int v = program->topological[i];
        state->prior_factor[v] = -1;
        if (!(needed & program->inner_mask[v]) || !batch->prior_at[v]) continue;
        const REAL *at = (const REAL *)(uintptr_t)batch->prior_at[v] + panel * batch->prior_panel[v] +
                         set * batch->prior_stride[v];
        state->prior_factor[v] = NAME(add)(state, at, program->prior_mask[v], program->prior_mask[v]);
        needed |= program->prior_mask[v];
    }
    const REAL *weights = (const REAL *)batch->weights + panel * batch->weights_panel + batch->weights_at[row];
    state->prior_factor[program->inner] = NAME(add)(state, weights, program->weights_mask, program->weights_mask);
    state->hidden = (needed | program->weights_mask) & ~known;
    for (mask_t left = state->hidden; left; left &= left - 1) state->bucket[__builtin_ctzll(left)] = -1;
    state->bucket[64] = -1;
    for (int number = 0; number < state->count; number++) NAME(place)(state, number);
}

/* The last product: nothing is hidden any more. Lanes are rescaled one by one, so that none is lost. */
TARGET static void NAME(finish)(STATE *state, REAL *value, int *lost) {
    int possible[PANEL];
    state->living = 0;
    for (int number = state->bucket[64]; number >= 0; number = state->next[number])
        state->alive[state->living++] = number;
    for (int lane = 0; lane < PANEL; lane++) value[lane] = 1, possible[lane] = 1;
    for (int i = 0; i < state->living; i++) {
        const FACTOR *factor = &state->factors[state->alive[i]];
        const REAL *at = factor->at + (int64_t)PEXT(state->fixed, factor->index) * PANEL;
        int rescale = 0;
        for (int lane = 0; lane < PANEL; lane++) possible[lane] &= at[lane] > 0;
        for (int lane = 0; lane < PANEL; lane++) value[lane] *= at[lane];
        for (int lane = 0; lane < PANEL; lane++) rescale |= (value[lane] < SMALL) & (value[lane] > 0);
        if (rescale)
            for (int lane = 0; lane < PANEL; lane++) {
                const int small = (value[lane] < SMALL) & (value[lane] > 0);
                value[lane] *= small ? 1 / SMALL : 1;
                state->raised[lane] += small * SMALL_EXPONENT;
            }
    }
    for (int lane = 0; lane < PANEL; lane++) state->exponent[lane] -= state->raised[lane];
    state->work += state->living;
    *lost = 0;
    for (int lane = 0; lane < PANEL; lane++) *lost |= possible[lane] && !(value[lane] > 0);
}

TARGET static void NAME(forward)(STATE *state, const hg_program *program) {
    for (int v = 0; v < program->inner && !state->failed; v++)
        if (program->inner_mask[v] & state->hidden) NAME(eliminate)(state, program->inner_mask[v]);
}

TARGET static void NAME(reset)(STATE *state, const hg_batch *batch) {
    state->free = (char *)(((uintptr_t)batch->scratch + 63) & ~(uintptr_t)63);
    state->end = (char *)batch->scratch + batch->scratch_bytes;
}

/* Rows -> unnormalised P(lane, evidence) = value * 2^exponent for one panel of lanes. */
TARGET static void NAME(rows)(const hg_program *program, hg_batch *batch, int panel) {
    STATE state;
    state.keep = 0;
    state.work = 0;
    state.steps = NULL;
    for (int64_t row = 0; row < batch->rows; row++) {
        REAL value[PANEL];
        int lost = 1;
        NAME(reset)(&state, batch);
        NAME(begin)(&state, program, batch, row, panel);
        NAME(forward)(&state, program);
        if (!state.failed) NAME(finish)(&state, value, &lost);
        batch->flags[row] |= state.failed ? 2 : lost;
        for (int lane = 0; lane < PANEL; lane++) {
            batch->value[row * program->lanes + panel * PANEL + lane] = state.failed ? 0 : (double)value[lane];
            batch->exponent[row * program->lanes + panel * PANEL + lane] = state.failed ? 0 : state.exponent[lane];
        }
    }
    batch->work += state.work;
}

#if SURVEY
/* ---- One row, every joint: the adjoint of a factor is the product of all others, summed over what it does not hold */

TARGET static void NAME(spread)(STATE *state, const int32_t *inputs, int count, mask_t separator, mask_t summed,
                                const REAL *adjoint, const REAL *scale) {
    const mask_t fixed = state->fixed, hidden = state->hidden;
    mask_t s = 0;
    int64_t block = 0;
    do {
        mask_t x = 0;
        REAL from[PANEL];
        for (int lane = 0; lane < PANEL; lane++) from[lane] = adjoint[block * PANEL + lane] * scale[lane];
        do {
            mask_t a = fixed | s | x;
            REAL after[MAX_INPUTS + 1][PANEL], before[PANEL];
            memcpy(after[count], from, sizeof from);
            for (int j = count - 1; j > 0; j--) {
                const FACTOR *factor = &state->factors[inputs[j]];
                const REAL *at = factor->at + (int64_t)PEXT(a, factor->index) * PANEL;
                for (int lane = 0; lane < PANEL; lane++) after[j][lane] = after[j + 1][lane] * at[lane];
            }
            for (int lane = 0; lane < PANEL; lane++) before[lane] = 1;
            for (int j = 0; j < count; j++) {
                FACTOR *factor = &state->factors[inputs[j]];
                REAL *to = factor->adjoint + (int64_t)PEXT(a, factor->mask & hidden) * PANEL;
                const REAL *at = factor->at + (int64_t)PEXT(a, factor->index) * PANEL;
                for (int lane = 0; lane < PANEL; lane++) to[lane] += before[lane] * after[j + 1][lane];
                for (int lane = 0; lane < PANEL; lane++) before[lane] *= at[lane];
            }
            x = (x - summed) & summed;
        } while (x);
        block++;
        s = (s - separator) & separator;
    } while (s);
}

/* The joint of a variable's states and the lanes: adjoint times table, shape (states, lanes), in units of P(evidence). */
TARGET static void NAME(joint)(const STATE *state, const FACTOR *factor, const REAL *table, mask_t index,
                               int64_t state_stride, mask_t own, int states, double *out, int64_t lanes) {
    const int own_shift = own ? __builtin_ctzll(own) : 0;
    const mask_t scope = factor->mask & state->hidden, rest = scope & ~own;
    for (int k = 0; k < states; k++) {
        mask_t s = 0;
        double sum[PANEL] = {0};
        do {
            mask_t a = state->fixed | s | (own ? (mask_t)k << own_shift : 0);
            const REAL *adjoint = factor->adjoint + (int64_t)PEXT(a, scope) * PANEL;
            const REAL *at = table + k * state_stride + (int64_t)PEXT(a, index) * PANEL;
            for (int lane = 0; lane < PANEL; lane++) sum[lane] += (double)adjoint[lane] * (double)at[lane];
            s = (s - rest) & rest;
        } while (s);
        for (int lane = 0; lane < PANEL; lane++) out[k * lanes + lane] = sum[lane];
    }
}

/* One row -> for every column the joint of its states and the lanes without its own evidence, and for every inner
   variable the joint with all evidence. Values are P(state, lane, evidence) * 2^-exponent of that lane. */
TARGET static void NAME(survey)(const hg_program *program, hg_batch *batch, int panel) {
    STATE state;
    STEP *steps = (STEP *)batch->steps;
    const int64_t lanes = program->lanes;
    REAL value[PANEL], ones[PANEL];
    int lost = 1;
    state.keep = 1;
    state.work = 0;
    state.steps = steps;
    NAME(reset)(&state, batch);
    NAME(begin)(&state, program, batch, 0, panel);
    NAME(forward)(&state, program);
    if (!state.failed) NAME(finish)(&state, value, &lost);
    for (int i = 0; i < state.count && !state.failed; i++) {
        FACTOR *factor = &state.factors[i];
        int64_t blocks = (int64_t)1 << __builtin_popcountll(factor->mask & state.hidden);
        factor->adjoint = NAME(allocate)(&state, blocks);
        if (factor->adjoint) memset(factor->adjoint, 0, (size_t)blocks * PANEL * sizeof(REAL));
    }
    batch->flags[0] |= state.failed ? 2 : lost;
    batch->work += state.work;
    if (state.failed) return;
    for (int lane = 0; lane < PANEL; lane++) ones[lane] = 1;
    for (int lane = 0; lane < PANEL; lane++) {
        batch->value[panel * PANEL + lane] = (double)value[lane];
        batch->exponent[panel * PANEL + lane] = state.exponent[lane];
    }
    /* the last product is a step like any other, but may have many inputs: take it in two runs, before and after */
    REAL *prefix = NAME(allocate)(&state, state.living + 1), *suffix = NAME(allocate)(&state, state.living + 1);
    int32_t *shift = (int32_t *)NAME(allocate)(&state, state.living + 1);
    int32_t *tail = (int32_t *)NAME(allocate)(&state, state.living + 1);
    if (state.failed) {
        batch->flags[0] |= 2;
        return;
    }
    for (int lane = 0; lane < PANEL; lane++) {
        prefix[lane] = 1, shift[lane] = 0;
        suffix[state.living * PANEL + lane] = 1, tail[state.living * PANEL + lane] = 0;
    }
#define AT(i) (state.factors[state.alive[i]].at + (int64_t)PEXT(state.fixed, state.factors[state.alive[i]].index) * PANEL)
    for (int i = 0; i < state.living; i++)
        for (int lane = 0; lane < PANEL; lane++) {
            int exponent = 0, before = i * PANEL + lane;
            prefix[before + PANEL] = (REAL)frexp((double)(prefix[before] * AT(i)[lane]), &exponent);
            shift[before + PANEL] = shift[before] + exponent;
        }
    for (int i = state.living - 1; i >= 0; i--)
        for (int lane = 0; lane < PANEL; lane++) {
            int exponent = 0, here = i * PANEL + lane;
            suffix[here] = (REAL)frexp((double)(suffix[here + PANEL] * AT(i)[lane]), &exponent);
            tail[here] = tail[here + PANEL] + exponent;
        }
    for (int i = 0; i < state.living; i++)
        for (int lane = 0; lane < PANEL; lane++) {
            const int here = i * PANEL + lane;
            const double others = (double)prefix[here] * (double)suffix[here + PANEL];
            state.factors[state.alive[i]].adjoint[lane] =
                (REAL)ldexp(others, shift[here] + tail[here + PANEL] + state.raised[lane]);
        }
#undef AT
    for (int i = state.step_count - 1; i >= 0; i--) {
        STEP *step = &steps[i];
        NAME(spread)(&state, step->inputs, step->count, step->separator, step->summed,
                     state.factors[step->out].adjoint, step->scale);
    }
    double *out = batch->joints + panel * PANEL;
    for (int c = 0; c < program->columns; c++) {
        int states = program->column_states[c];
        if (state.column_factor[c] >= 0) {
            const FACTOR *factor = &state.factors[state.column_factor[c]];
            const REAL *table = (const REAL *)(uintptr_t)program->column_table[c] + panel * program->table_panel[c];
            if (program->column_inner[c]) /* an inner variable's own evidence: one block for each of its states */
                NAME(joint)(&state, factor, ones, 0, 0, program->column_mask[c], states, out, lanes);
            else
                NAME(joint)(&state, factor, table, factor->mask,
                            (int64_t)PANEL << __builtin_popcountll(program->column_mask[c]), 0, states, out, lanes);
        }
        out += states * lanes;
    }
    for (int v = 0; v < program->inner; v++) {
        int number = state.prior_factor[v] >= 0 ? state.prior_factor[v] : state.prior_factor[program->inner];
        const FACTOR *factor = &state.factors[number];
        if (factor->mask & program->inner_mask[v] & state.hidden)
            NAME(joint)(&state, factor, factor->at, factor->index, 0, program->inner_mask[v], program->inner_states[v],
                        out, lanes);
        out += program->inner_states[v] * lanes;
    }
    const FACTOR *weights = &state.factors[state.prior_factor[program->inner]];
    const mask_t open = program->weights_mask & state.hidden;
    mask_t s = 0;
    do {
        const REAL *adjoint = weights->adjoint + (int64_t)PEXT(s, open) * PANEL;
        double *to = out + (int64_t)PEXT(state.fixed | s, program->weights_mask) * lanes;
        for (int lane = 0; lane < PANEL; lane++) to[lane] = (double)adjoint[lane];
        s = (s - open) & open;
    } while (s);
}
#endif

#undef STATE
#undef STEP
#undef FACTOR
#undef VEC
#undef WIDTH
#undef VECTORS
#undef NAME
