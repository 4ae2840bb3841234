/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file presets_kat.c
 * @brief KAT's initial coefficients.
 *
 * Source of the figures: X. Yang and X. Wang, "Kolmogorov-Arnold Transformer", 2024; file kat_rational/init.json of the
 * authors' repository rational_kat_cu. Which form a table was fitted for is not said there; it was found by measuring
 * each under every form. All were fitted for abs_terms, except gelu: that one for abs_sum (under abs_terms it errs by
 * 1.46).
 */
#include "presets.h"

const grkan_preset grkan_kat_presets[KAT_PRESETS] = {
    PRESET("kat_identity", "identity", GRKAN_ABS_TERMS, 0, -3, .numerator = {0, 1, 0, 0, 0, 0},
           .denominator = {0, 0, 0, 0}),
    PRESET("kat_relu", "relu", GRKAN_ABS_TERMS, 0.02996, 0,
           .numerator = {0.029963801610813613, 0.6168978366891341, 2.37534759733888, 3.0659900472408443,
                         1.5246831881677423, 0.2528070864040542},
           .denominator = {-1.191550121923625, 4.4080487697236626, 0.9110357113686055, 0.34884977946384615}),
    PRESET("kat_leaky_relu", "leaky_relu", GRKAN_ABS_TERMS, 0.02979, 0,
           .numerator = {0.029792778657264946, 0.6183735264987601, 2.323309062531321, 3.051936237265109,
                         1.4854203263828845, 0.2510244961111299},
           .denominator = {-1.1419548357285474, 4.393159974992486, 0.8714712309957245, 0.34719662339598834}),
    PRESET("kat_leaky_relu_0.1", "leaky_relu_0.1", GRKAN_ABS_TERMS, 0.028, 0,
           .numerator = {0.028001623256966722, 0.6356606448768645, 1.9230178392192485, 2.96752700768763,
                         1.1911336843997844, 0.23922607056505849},
           .denominator = {-0.7802079437303349, 4.278190623059944, 0.5865922075979962, 0.33447021316466974}),
    PRESET("kat_tanh", "tanh", GRKAN_ABS_TERMS, 4.061e-05, -3,
           .numerator = {-1.0804622559204184e-08, 1.0003008043819048, -2.5878199375289335e-08, 0.09632129918392647,
                         3.4775841628196104e-09, 0.0004255709234726337},
           .denominator = {-0.0013027181209176277, 0.428349017422072, 1.4524304083061898e-09, 0.010796648111337176}),
    PRESET("kat_sigmoid", "sigmoid", GRKAN_ABS_TERMS, 1.86e-05, 3,
           .numerator = {0.4999992534599381, 0.25002157564685185, 0.14061924500301096, 0.049420492431596394,
                         0.00876714851885483, 0.0006442412789159799},
           .denominator = {2.1694506382753683e-09, 0.28122766100417684, 1.0123620714203357e-05, 0.017531988049946}),
    PRESET(
        "kat_swish", "swish", GRKAN_ABS_TERMS, 1.164e-06, -3,
        .numerator = {3.054879741161051e-07, 0.5000007853744493, 0.24999783422824703, 0.05326628273219478,
                      0.005803034571292244, 0.0002751961022402342},
        .denominator = {-4.111554955950634e-06, 0.10652899335007572, -1.2690007399796238e-06, 0.0005502331264140556}),
    PRESET("kat_gelu", "gelu", GRKAN_ABS_SUM, 0.002954, 3,
           .numerator = {-0.00153969, 0.51692871, 0.44075827, 0.0972553, -0.00884418, -0.00378675},
           .denominator = {-0.14171056, -0.06481231, -0.0444695, 0.01283776}),
    PRESET("kat_gelu_old", "gelu", GRKAN_ABS_TERMS, 0.004137, -3,
           .numerator = {-0.0012423594497499122, 0.5080497063245629, 0.41586363182937475, 0.13022718688035761,
                         0.024355900098993424, 0.00290283948155535},
           .denominator = {-0.06675015696494944, 0.17927646217001553, 0.03746682605496631, 1.6561610853276082e-10}),
};
