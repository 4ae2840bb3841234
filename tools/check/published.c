/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file published.c
 * @brief KAT's initial coefficients.
 *
 * Source of the figures: X. Yang and X. Wang, "Kolmogorov-Arnold Transformer", 2024; file kat_rational/init.json of the
 * authors' repository rational_kat_cu. Which form a table was fitted for is not said there; it was found here by
 * measuring each under every form. All were fitted for abs_terms, except gelu: that one for abs_sum (under abs_terms
 * it errs by 1.47).
 */
#include "published.h"

#include <math.h>
#include <string.h>

static long double identity(long double x)
{
    return x;
}

static long double relu(long double x)
{
    return x > 0 ? x : 0;
}

static long double leaky_relu(long double x)
{
    return x > 0 ? x : 0.01L * x;
}

static long double leaky_relu_tenth(long double x)
{
    return x > 0 ? x : 0.1L * x;
}

static long double sigmoid(long double x)
{
    return 1 / (1 + expl(-x));
}

static long double swish(long double x)
{
    return x * sigmoid(x);
}

static long double gelu(long double x)
{
    return 0.5L * x * (1 + erfl(x / sqrtl(2)));
}

const published_table published_tables[PUBLISHED_COUNT] = {
    {"identity", GRKAN_ABS_TERMS, {0, 1, 0, 0, 0, 0}, {0, 0, 0, 0}, identity, 0},
    {"relu",
     GRKAN_ABS_TERMS,
     {0.029963801610813613, 0.6168978366891341, 2.37534759733888, 3.0659900472408443, 1.5246831881677423,
      0.2528070864040542},
     {-1.191550121923625, 4.4080487697236626, 0.9110357113686055, 0.34884977946384615},
     relu,
     3.3e-2},
    {"leaky_relu",
     GRKAN_ABS_TERMS,
     {0.029792778657264946, 0.6183735264987601, 2.323309062531321, 3.051936237265109, 1.4854203263828845,
      0.2510244961111299},
     {-1.1419548357285474, 4.393159974992486, 0.8714712309957245, 0.34719662339598834},
     leaky_relu,
     3.28e-2},
    {"leaky_relu_0.1",
     GRKAN_ABS_TERMS,
     {0.028001623256966722, 0.6356606448768645, 1.9230178392192485, 2.96752700768763, 1.1911336843997844,
      0.23922607056505849},
     {-0.7802079437303349, 4.278190623059944, 0.5865922075979962, 0.33447021316466974},
     leaky_relu_tenth,
     3.08e-2},
    {"tanh",
     GRKAN_ABS_TERMS,
     {-1.0804622559204184e-08, 1.0003008043819048, -2.5878199375289335e-08, 0.09632129918392647, 3.4775841628196104e-09,
      0.0004255709234726337},
     {-0.0013027181209176277, 0.428349017422072, 1.4524304083061898e-09, 0.010796648111337176},
     tanhl,
     4.46e-5},
    {"sigmoid",
     GRKAN_ABS_TERMS,
     {0.4999992534599381, 0.25002157564685185, 0.14061924500301096, 0.049420492431596394, 0.00876714851885483,
      0.0006442412789159799},
     {2.1694506382753683e-09, 0.28122766100417684, 1.0123620714203357e-05, 0.017531988049946},
     sigmoid,
     2.04e-5},
    {"swish",
     GRKAN_ABS_TERMS,
     {3.054879741161051e-07, 0.5000007853744493, 0.24999783422824703, 0.05326628273219478, 0.005803034571292244,
      0.0002751961022402342},
     {-4.111554955950634e-06, 0.10652899335007572, -1.2690007399796238e-06, 0.0005502331264140556},
     swish,
     1.32e-6},
    {"gelu",
     GRKAN_ABS_SUM,
     {-0.00153969, 0.51692871, 0.44075827, 0.0972553, -0.00884418, -0.00378675},
     {-0.14171056, -0.06481231, -0.0444695, 0.01283776},
     gelu,
     3.25e-3},
    {"gelu_old",
     GRKAN_ABS_TERMS,
     {-0.0012423594497499122, 0.5080497063245629, 0.41586363182937475, 0.13022718688035761, 0.024355900098993424,
      0.00290283948155535},
     {-0.06675015696494944, 0.17927646217001553, 0.03746682605496631, 1.6561610853276082e-10},
     gelu,
     4.55e-3},
};

const published_table *published_find(const char *name)
{
    for (int i = 0; i < PUBLISHED_COUNT; i++)
        if (strcmp(published_tables[i].name, name) == 0)
            return &published_tables[i];
    return NULL;
}
