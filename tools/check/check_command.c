/* SPDX-License-Identifier: Apache-2.0 */
/** @file check_command.c @brief `grkan check`: a device against the oracle, and against others. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "large.h"
#include "suite.h"
#include "common/options.h"
#include "common/progress.h"
#include "common/tools.h"

/** The tables of cases. */
enum { ORACLE, BITS, LIMITS, SQUARE, TWO_TYPES, PROLOGUES, TABLES };

enum { OPTION_SEED = 0x100, OPTION_LIST, OPTION_CASE, OPTION_PART, OPTION_LARGE };

/** The command line. */
typedef struct check_request {
    const char *selectors[SUITE_DEVICES];
    int devices;
    bool quick, list;
    uint64_t seed;
    const char *one;
    int part, parts; /**< every parts-th case from the part-th on, from 1 */
    int64_t large;   /**< elements of the large cases; 0: the tables of small ones */
} check_request;

/** How many checks are over, for the progress bar. */
typedef struct steps {
    size_t done, total;
} steps;

static const command_option options[] = {
    {"device", 'd', "DEVICE", "A device to check, as \"cpu\", \"cuda:1\" or \"opencl:0:1\"; may be repeated", 0},
    {"quick", 'q', NULL, "Few and small cases, for slow checkers", 0},
    {"seed", OPTION_SEED, "N", "Seed of the table of cases (1)", 0},
    {"list", OPTION_LIST, NULL, "List the cases and their indices", 0},
    {"case", OPTION_CASE, "NAME", "Run this case only; its name, or its index", 0},
    {"part", OPTION_PART, "K/N", "Run the Kth of N parts of the cases only, so that N processes can share them", 0},
    {"large", OPTION_LARGE, "[N]",
     "Run large tensors instead, of N elements (2.2e9, of which every index beyond 2^31 is an own check), and tell how "
     "far gradients are from exact sums",
     0},
    {0}};

static void parse_seed(const char *who, const char *text, uint64_t *seed)
{
    char *end;
    *seed = strtoull(text, &end, 0);
    if (end == text || *end != 0 || *text == '-')
        options_complain(who, "--seed: a number >= 0 was expected, not \"%s\"", text);
}

static void parse_part(const char *who, const char *text, check_request *c)
{
    int end = 0;
    if (sscanf(text, "%4d/%4d%n", &c->part, &c->parts, &end) != 2 || text[end] != 0 || c->part < 1 ||
        c->part > c->parts)
        options_complain(who, "--part: K/N with 1 <= K <= N <= 9999 was expected, not \"%s\"", text);
}

static void take(void *to, const char *who, int key, const char *text)
{
    check_request *c = to;
    switch (key) {
    case 'd':
        if (c->devices == SUITE_DEVICES)
            options_complain(who, "--device: at most %d devices", SUITE_DEVICES);
        c->selectors[c->devices++] = text;
        break;
    case 'q':
        c->quick = true;
        break;
    case OPTION_SEED:
        parse_seed(who, text, &c->seed);
        break;
    case OPTION_LIST:
        c->list = true;
        break;
    case OPTION_CASE:
        c->one = text;
        break;
    case OPTION_PART:
        parse_part(who, text, c);
        break;
    case OPTION_LARGE:
        c->large = 2200000000;
        if (text != NULL && tool_parse_integer(text, 1000, INT64_C(1) << 40, &c->large) != 0)
            options_complain(who, "--large: '%s' is not a whole number from 1000 to %lld", text, 1LL << 40);
        break;
    }
}

static void take_operand(void *to, const char *who, const char *text)
{
    (void)to;
    options_complain(who, "unexpected argument \"%s\"", text);
}

static const option_set own = {options, take, NULL};

static const command_line command = {
    .summary = "Check devices against a long double oracle, and against each other.",
    .own = &own,
    .operand = take_operand,
};

static void heard(void *context, const char *device, const char *label, const check_case *one,
                  const check_report *report)
{
    steps *s = context;
    if (report->outcome == CHECK_FAILED) {
        progress_clear();
        printf("FAILED %s %s seed 0x%016" PRIx64 " (%s)\n       %s\n", device, one->name, one->seed, label,
               report->text);
        fflush(stdout);
    }
    progress_show(++s->done, s->total, device);
}

static void list_cases(const check_table *tables)
{
    int index = 0;
    for (int t = 0; t < TABLES; t++)
        for (int i = 0; i < tables[t].count; i++)
            printf("%4d %s%s\n", index++, tables[t].cases[i].name, t == BITS ? " (bits)" : "");
}

/** Keep one case only. An index counts the tables' cases one after the other. false: there is no such case. */
static bool keep_one(check_table *tables, const char *text)
{
    char *end, rest[32];
    long index = strtol(text, &end, 10);
    const bool is_index = end != text && *end == 0;
    bool found = false;
    for (int t = 0; t < TABLES; t++) {
        snprintf(rest, sizeof rest, "%ld", index);
        const check_case *one = found ? NULL : check_table_find(&tables[t], is_index ? rest : text);
        index -= tables[t].count;
        if (one)
            tables[t].cases[0] = *one;
        tables[t].count = one ? 1 : 0;
        found = found || one;
    }
    return found;
}

static void keep_part(check_table *table, int part, int parts)
{
    int kept = 0;
    for (int i = part - 1; i < table->count; i += parts)
        table->cases[kept++] = table->cases[i];
    table->count = kept;
}

static void print_tally(const suite_device *device, const suite_tally *tally)
{
    printf("%s (%s): %d passed, %d failed, %d skipped; worst error %.2f of its bound\n", device->properties.selector,
           device->properties.name, tally->passed, tally->failed, tally->skipped, tally->worst);
    for (int i = 0; i < SUITE_REASONS && tally->reasons[i].count; i++)
        printf("       %d skipped: %s\n", tally->reasons[i].count, tally->reasons[i].text);
}

static void print_digest(const suite_tally *tally, const char *what)
{
    if (tally->digested > 0)
        printf("       digest of the bits of %d %s, the same on every device: %016" PRIx64 "\n", tally->digested, what,
               tally->digest);
}

/** Run the large cases. @return how many failed */
static int run_large(const suite_device *devices, int count, const check_request *c)
{
    int failed = 0;
    for (int i = 0; i < count * LARGE_CASES; i++) {
        const char *device = devices[i / LARGE_CASES].properties.selector;
        const large_case one = large_case_at(i % LARGE_CASES, c->large);
        const grkan_operation *o = &one.operation;
        large_report report;
        progress_show((size_t)i, (size_t)(count * LARGE_CASES), device);
        large_run(devices[i / LARGE_CASES].device, &one, &report);
        progress_clear();
        printf("%s, %s (%lld x %lld x %lld %s): ", device, one.name, (long long)o->outer, (long long)o->channels,
               (long long)o->inner, grkan_dtype_name(o->dtype));
        if (report.check.outcome == CHECK_SKIPPED)
            printf("skipped: %s\n", report.check.text);
        else
            printf("%s%s; worst error of y and dx %.2f of its bound; relative error of da %.2g, of db %.2g (median of "
                   "%d, limit "
                   "%.0g)\n",
                   report.check.outcome == CHECK_PASSED ? "passed" : "FAILED: ", report.check.text, report.check.worst,
                   report.error[0], report.error[1], one.seeds, one.limit);
        fflush(stdout);
        failed += report.check.outcome == CHECK_FAILED;
    }
    return failed;
}

/** Check a table's bits into digests of its own, and count its checks with the others. */
static void run_bits(const suite_device *devices, int count, const check_table *table, steps *s, suite_tally *tallies,
                     suite_tally *digests)
{
    suite_bits(devices, count, table, heard, s, tallies);
    for (int d = 0; d < count; d++) {
        digests[d] = tallies[d];
        tallies[d].digest = 0;
        tallies[d].digested = 0;
    }
}

/** @return how many checks failed. */
static int run_checks(const suite_device *devices, int count, const check_table *tables)
{
    static const char *const digested[TABLES] = {[BITS] = "device_to_device cases",
                                                 [LIMITS] = "cases at the limits of numbers",
                                                 [SQUARE] = "cases of square",
                                                 [TWO_TYPES] = "cases of two types",
                                                 [PROLOGUES] = "cases of prologues"};
    suite_tally tallies[SUITE_DEVICES] = {{0}}, digests[TABLES][SUITE_DEVICES] = {{{0}}};
    steps s = {0};
    for (int t = 0; t < TABLES; t++)
        s.total += (size_t)((t == BITS ? 0 : count * tables[t].count) +
                            (t == ORACLE ? 0 : suite_bits_steps(devices, count, &tables[t])));
    for (int d = 0; d < count; d++)
        for (int t = 0; t < TABLES; t++)
            if (t != BITS)
                suite_oracle(&devices[d], &tables[t], heard, &s, &tallies[d]);
    for (int t = BITS; t < TABLES; t++)
        run_bits(devices, count, &tables[t], &s, tallies, digests[t]);
    progress_clear();
    int failed = 0;
    for (int d = 0; d < count; d++) {
        print_tally(&devices[d], &tallies[d]);
        for (int t = BITS; t < TABLES; t++)
            print_digest(&digests[t][d], digested[t]);
        failed += tallies[d].failed;
    }
    return failed;
}

/** Open the devices, run, close them again. @return the exit status */
static int check_devices(const check_request *c, const check_table *tables, const char *who)
{
    suite_device devices[SUITE_DEVICES] = {{0}};
    const int wanted = c->devices ? c->devices : 1;
    int open = 0, result = TOOL_GOOD;
    check_ahead *const ahead = c->large ? NULL : check_ahead_start(c->selectors, wanted, tables, TABLES);
    for (; open < wanted && result == TOOL_GOOD; open++) {
        const char *selector = c->selectors[open];
        const grkan_status status = suite_open(selector, &devices[open]);
        if (status != GRKAN_SUCCESS)
            result = tool_complain(who, selector ? selector : "default device", status);
    }
    for (int d = 0; d < open && result == TOOL_GOOD; d++)
        if (!suite_is_cpu(&devices[d]))
            check_ahead_compile(ahead, d);
    if (result == TOOL_GOOD && (c->large ? run_large(devices, open, c) : run_checks(devices, open, tables)) > 0)
        result = TOOL_CHECK_FAILED;
    check_ahead_end(ahead);
    for (int d = 0; d < open; d++)
        grkan_device_close(devices[d].device);
    return result;
}

/** Whether a table could not be made. */
static bool has_empty(const check_table *tables)
{
    for (int t = 0; t < TABLES; t++)
        if (tables[t].count == 0)
            return true;
    return false;
}

int grkan_tool_check(int argc, char **argv)
{
    check_request c = {.seed = 1, .part = 1, .parts = 1};
    options_parse(&command, argc, argv, &c, NULL);

    check_table tables[TABLES] = {
        [ORACLE] = check_table_oracle(c.seed, c.quick),       [BITS] = check_table_bits(c.seed, c.quick),
        [LIMITS] = check_table_limits(c.seed, c.quick),       [SQUARE] = check_table_square(c.seed, c.quick),
        [TWO_TYPES] = check_table_two_types(c.seed, c.quick), [PROLOGUES] = check_table_prologues(c.seed, c.quick)};
    int status = TOOL_GOOD;
    if (has_empty(tables)) {
        fprintf(stderr, "%s: the table of cases could not be made\n", argv[0]);
        status = TOOL_CHECK_FAILED;
    } else if (c.list) {
        list_cases(tables);
    } else if (c.one && !keep_one(tables, c.one)) {
        fprintf(stderr, "%s: --case: there is no case \"%s\"; see --list\n", argv[0], c.one);
        status = TOOL_BAD_USAGE;
    } else {
        for (int t = 0; t < TABLES; t++)
            keep_part(&tables[t], c.part, c.parts);
        if (!c.large)
            printf(
                "cases against the oracle: %d; for equal bits: %d; for both, at the limits of numbers: %d, of square: "
                "%d, of two types: %d, of prologues: %d; seed %" PRIu64 "\n",
                tables[ORACLE].count, tables[BITS].count, tables[LIMITS].count, tables[SQUARE].count,
                tables[TWO_TYPES].count, tables[PROLOGUES].count, c.seed);
        status = check_devices(&c, tables, argv[0]);
    }
    for (int t = 0; t < TABLES; t++)
        check_table_free(&tables[t]);
    return status;
}
