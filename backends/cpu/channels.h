/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file channels.h
 * @brief What a prologue does with staged rows: x becomes z, and the channels of a strip get their sums.
 *
 * Numbers of channels lie as a staged row does, [element of a vector][column], so that one loop over columns serves.
 */

/** Tables of channels, at most: scale and shift. */
enum { most_channel_tables = PROLOGUE_TABLES };

DEVICE prologue prologue_of(const grkan_plan_data *plan)
{
    const grkan_operation *const o = &plan->operation;
    if (o->prologue == GRKAN_PROLOGUE_BIAS)
        return prologue_from(PROLOGUE_BIAS, 0, 1);
    return prologue_from((int)o->prologue, o->norm.has_scale, o->norm.has_shift);
}

/** The index of the table of a prologue's shift, or bias; its scale is the one before it. */
DEVICE int shift_table(prologue p)
{
    return p.kind == PROLOGUE_BIAS ? FAMILY_TABLES : FAMILY_TABLES + 1;
}

/** What a row's elements need of it. */
typedef struct row_numbers {
    scalar mean, rstd;
} row_numbers;

/** The first count of CPU_LANES numbers; then zeros. */
DEVICE real load_some(const scalar *from, int count)
{
    real lanes = {0};
    if (count >= CPU_LANES)
        return load_lanes(from);
    memcpy(&lanes, from, (size_t)count * sizeof *from);
    return lanes;
}

/**
 * Neighbouring elements of a row, from x to z, 0 beyond the last one. All arrays but scale and shift are whole SIMD vectors,
 * and x may be xhat or z.
 * @param xhat out, may be NULL
 */
DEVICE void apply_prologue(prologue p, row_numbers row, const scalar *scale, const scalar *shift, int count,
                           const scalar *x, scalar *xhat, scalar *z)
{
    const row_statistics statistics = {REAL(row.mean), REAL(row.rstd)};
    for (int column = 0; column < count; column += CPU_LANES) {
        const int left = count - column;
        const channel c = {p.has_scale ? load_some(scale + column, left) : REAL(0),
                           p.has_shift ? load_some(shift + column, left) : REAL(0)};
        const real own = normalised(p, statistics, load_lanes(x + column));
        const real argument = argument_of(p, c, own);
        if (xhat != NULL)
            store_lanes(xhat + column, own);
        store_lanes(z + column, argument);
        for (int lane = left; lane < CPU_LANES; ++lane)
            z[column + lane] = 0;
    }
}

/** As apply_prologue, with code of its own for each prologue. */
static __attribute__((noinline)) void elements_to_z(prologue p, row_numbers row, const scalar *scale,
                                                    const scalar *shift, int count, const scalar *x, scalar *xhat,
                                                    scalar *z)
{
    if (p.kind == PROLOGUE_BIAS)
        apply_prologue(prologue_from(PROLOGUE_BIAS, 0, 1), row, scale, shift, count, x, xhat, z);
    else if (p.kind == PROLOGUE_LAYER_NORM && p.has_scale && p.has_shift)
        apply_prologue(prologue_from(PROLOGUE_LAYER_NORM, 1, 1), row, scale, shift, count, x, xhat, z);
    else if (p.kind == PROLOGUE_RMS_NORM && p.has_scale && !p.has_shift)
        apply_prologue(prologue_from(PROLOGUE_RMS_NORM, 1, 0), row, scale, shift, count, x, xhat, z);
    else
        apply_prologue(p, row, scale, shift, count, x, xhat, z);
}

/** A prologue in a strip of columns. */
typedef struct strip_prologue {
    prologue p;
    scalar *scale;
    scalar *shift;
    scalar *xhat;                   /* of norms in backward: as many rows as are staged */
    int tables;                     /* of channels whose gradients are wanted */
    int table[most_channel_tables]; /* of each, its index in the plan */
    int of_table;                   /* sums of a column for each: one for each of its channels */
    scalar *sums;                   /* [table][channel of a column][column]: first level, between stages of a chain */
    scalar *thread_sums;            /* second level */
    scalar *output_sums;            /* see reduce.h */
} strip_prologue;

/** A column's channels: one for each element of its vector, or one for all. */
DEVICE int channels_of_column(const grkan_geometry *g)
{
    return g->columns.inner == 1 ? g->columns.vector : 1;
}

/** Columns of one channel; those of a channel that is wider than a block are all columns. */
DEVICE int columns_of_channel(const grkan_geometry *g)
{
    const grkan_columns *const c = &g->columns;
    if (c->segments > 1)
        return c->block;
    return c->inner > c->vector ? (int)(c->inner / c->vector) : 1;
}

/** The first channel of a group. */
DEVICE int64_t first_channel(const grkan_geometry *g, int64_t group)
{
    return group * g->columns.group_size + smaller(group, g->columns.larger_groups);
}

/** Which prologue a strip has, and which sums backward keeps for it. */
static strip_prologue start_prologue(const cpu_job *job, const grkan_geometry *g)
{
    strip_prologue s = {.p = prologue_of(job->plan), .of_table = channels_of_column(g)};
    for (int table = FAMILY_TABLES; table < TABLES; ++table)
        if (job->gradients[table] != NULL)
            s.table[s.tables++] = table;
    return s;
}

/** Channel sums of a column. */
DEVICE int channel_sums(const strip_prologue *s)
{
    return s->tables * s->of_table;
}

/** Scalars of a column that a prologue needs, with so many staged elements; at most. */
DEVICE int prologue_scalars(const strip_prologue *s, int vector, int staged)
{
    const int has_norm = s->p.kind > PROLOGUE_BIAS;
    return s->p.kind == PROLOGUE_NONE ? 0 : 3 * channel_sums(s) + 2 * vector + has_norm * staged;
}

/** The numbers of a strip's channels in one table. @param plus added to each */
static void load_channels(const tile *b, const strip *s, const scalar *table, scalar plus, scalar *to)
{
    const grkan_columns *const c = &b->g->columns;
    memset(to, 0, (size_t)(s->vector * s->width) * sizeof *to);
    for (int column = 0; column < s->columns; ++column) {
        const int64_t element = b->start + (int64_t)((s->first + column) % c->tile_vectors) * s->vector;
        for (int v = 0; v < s->vector; ++v)
            to[v * s->width + column] = table[c->inner == 1 ? element + v : element / c->inner] + plus;
    }
}

/** The numbers of a strip's channels. + 0 makes +0 of a bias of -0, so that no z is -0; - 0 changes nothing. */
static void load_prologue(const cpu_job *job, const tile *b, const strip *s, strip_prologue *of)
{
    const int shift = shift_table(of->p);
    if (of->p.has_scale)
        load_channels(b, s, job->tables[shift - 1], -(scalar)0, of->scale);
    if (of->p.has_shift)
        load_channels(b, s, job->tables[shift], of->p.kind == PROLOGUE_BIAS ? (scalar)0 : -(scalar)0, of->shift);
}

DEVICE row_numbers numbers_of_row(const cpu_job *job, int64_t row)
{
    const row_numbers n = {job->mean != NULL ? ((const scalar *)job->mean)[row] : 0,
                           job->rstd != NULL ? ((const scalar *)job->rstd)[row] : 0};
    return n;
}

/**
 * z of staged rows, which takes the place of x; xhat where it is asked for. Of rows that adjoin, each has numbers of its own:
 * there they are whole SIMD vectors, as a row of a norm's is a multiple of 32 columns.
 */
static void rows_to_z(const cpu_job *job, const tile *b, const strip *s, const block_rows *at, const strip_prologue *of,
                      scalar *x)
{
    const int64_t row_elements = b->g->columns.row_elements;
    const int pitch = of->p.kind == PROLOGUE_BIAS ? INT_MAX : b->g->columns.tile_vectors;
    scalar *xhat = of->xhat;
    for (int row = 0; row < at->rows; ++row)
        for (int v = 0; v < s->vector; ++v, x += s->width, xhat += xhat == NULL ? 0 : s->width) {
            if (xhat != NULL)
                memset(xhat + at->count[row], 0, (size_t)(s->width - at->count[row]) * sizeof *xhat);
            for (int column = 0, end; column < at->count[row]; column = end) {
                const int64_t element = at->element[row] + (int64_t)column * s->vector;
                const int to_end = pitch - (s->first + column) % pitch, place = v * s->width + column;
                end = least(at->count[row], column + least(to_end, at->count[row]));
                elements_to_z(of->p, numbers_of_row(job, element / row_elements), of->scale + place, of->shift + place,
                              end - column, x + column, xhat == NULL ? NULL : xhat + column, x + column);
            }
        }
}

/** Add a row's numbers to sums: dz, or dz xhat where that is not NULL. */
static void add_row(const scalar *dz, const scalar *xhat, int width, scalar *sums)
{
    for (int column = 0; column < width; column += CPU_LANES) {
        const real sum = load_lanes(sums + column), own = load_lanes(dz + column);
        store_lanes(sums + column, xhat == NULL ? sum + own : FMA(own, load_lanes(xhat + column), sum));
    }
}

/** What staged rows add to the sums of channels. @param dz of each staged row @param starts, ends whether a chain does */
static void add_channel_sums(const strip *s, int rows, const strip_prologue *of, const char *const *dz, int starts,
                             int ends)
{
    const int count = channel_sums(of) * s->width;
    if (starts)
        memset(of->sums, 0, (size_t)count * sizeof *of->sums);
    for (int t = 0; t < of->tables; ++t) {
        const int is_scale = of->table[t] != shift_table(of->p);
        for (int i = 0; i < rows * s->vector; ++i)
            add_row((const scalar *)(const void *)dz[i], is_scale ? of->xhat + i * s->width : NULL, s->width,
                    of->sums + (t * of->of_table + (of->of_table > 1 ? i % s->vector : 0)) * s->width);
    }
    for (int i = 0; ends && i < count; i += CPU_LANES)
        store_lanes(of->thread_sums + i, load_lanes(of->thread_sums + i) + load_lanes(of->sums + i));
}
