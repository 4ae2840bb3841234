/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file presets.c
 * @brief Coefficients of degrees (5, 4) on [-3, 3] for every function and form, and how presets are found.
 *
 * The figures were computed by grkan_fit and rounded to f32; `scripts/preset-rows build/tools/grkan` prints them again.
 */
#include "presets.h"

#include <string.h>

#include "../internal.h"

static const grkan_preset presets[] = {
    PRESET("identity", "identity", GRKAN_ABS_TERMS, 0, -3, .numerator = {0, 1, 0, 0, 0, 0},
           .denominator = {0, 0, 0, 0}),
    PRESET("relu", "relu", GRKAN_ABS_TERMS, 0.01275, 0.444744,
           .numerator = {0.0127511509, 0.5, 2.79266381, 4.54557323, 2.5900538, 0.463888526},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("leaky_relu", "leaky_relu", GRKAN_ABS_TERMS, 0.01263, 0.444744,
           .numerator = {0.0126236398, 0.504999995, 2.76473737, 4.59102917, 2.56415343, 0.468527406},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("leaky_relu_0.1", "leaky_relu_0.1", GRKAN_ABS_TERMS, 0.01148, 0.444744,
           .numerator = {0.0114760362, 0.550000012, 2.51339746, 5.00013065, 2.33104849, 0.51027739},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("sigmoid", "sigmoid", GRKAN_ABS_TERMS, 1.793e-08, -3,
           .numerator = {0.5, 0.25, 0.0554364957, 0.00688493671, 0.000484276214, 1.55999242e-05},
           .denominator = {0, 0.110872991, 0, 0.000968552427}),
    PRESET("tanh", "tanh", GRKAN_ABS_TERMS, 9.803e-07, -0.52254,
           .numerator = {0, 1.0000174, 0, 0.107029125, 0, 0.000844886585},
           .denominator = {9.18885562e-05, 0.440250039, 0, 0.0143568618}),
    PRESET("swish", "swish", GRKAN_ABS_TERMS, 4.799e-07, 3,
           .numerator = {4.55761608e-07, 0.5, 0.249996588, 0.0532448925, 0.00579310488, 0.000273868878},
           .denominator = {0, 0.106489785, 0, 0.000547737756}),
    PRESET("gelu", "gelu", GRKAN_ABS_TERMS, 0.001279, -0.824222,
           .numerator = {-0.00127927284, 0.5, 0.408188373, 0.106950305, 0.0087006567, 2.105776e-05},
           .denominator = {0, 0.213900611, 0, 4.211552e-05}),
    PRESET("mish", "mish", GRKAN_ABS_TERMS, 8.462e-05, 2.09026,
           .numerator = {7.0602764e-05, 0.600500524, 0.31951949, 0.130259126, 0.0333081745, 0.00340350228},
           .denominator = {0.0074618957, 0.224457681, 0.0205381401, 0.00403562607}),
    PRESET("softplus", "softplus", GRKAN_ABS_TERMS, 1.861e-06, -0.804268,
           .numerator = {0.69314903, 0.5, 0.181013659, 0.0404153652, 0.00536234118, 0.000324774359},
           .denominator = {0, 0.0808307305, 0, 0.000649548718}),
    PRESET("sin", "sin", GRKAN_ABS_TERMS, 2.656e-06, -2.87728,
           .numerator = {0, 1.00003314, 0, -0.13110891, 0, 0.0030179508},
           .denominator = {0.000126317929, 0.0354453363, 0, 0.000640873041}),
    PRESET("identity", "identity", GRKAN_ABS_SUM, 0, -3, .numerator = {0, 1, 0, 0, 0, 0}, .denominator = {0, 0, 0, 0}),
    PRESET("relu", "relu", GRKAN_ABS_SUM, 0.01275, 0.444744,
           .numerator = {0.0127511509, 0.5, 2.79266381, 4.54557323, 2.5900538, 0.463888526},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("leaky_relu", "leaky_relu", GRKAN_ABS_SUM, 0.01263, 0.444744,
           .numerator = {0.0126236398, 0.504999995, 2.76473737, 4.59102917, 2.56415343, 0.468527406},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("leaky_relu_0.1", "leaky_relu_0.1", GRKAN_ABS_SUM, 0.01148, 0.444744,
           .numerator = {0.0114760362, 0.550000012, 2.51339746, 5.00013065, 2.33104849, 0.51027739},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("sigmoid", "sigmoid", GRKAN_ABS_SUM, 1.793e-08, -3,
           .numerator = {0.5, 0.25, 0.0554364957, 0.00688493671, 0.000484276214, 1.55999242e-05},
           .denominator = {0, 0.110872991, 0, 0.000968552427}),
    PRESET("tanh", "tanh", GRKAN_ABS_SUM, 1.402e-06, 1.5647,
           .numerator = {0, 0.999992371, 0, 0.10749118, 0, 0.000861503126},
           .denominator = {0, 0.44078964, 0, 0.0145042269}),
    PRESET("swish", "swish", GRKAN_ABS_SUM, 4.799e-07, 3,
           .numerator = {4.55761608e-07, 0.5, 0.249996588, 0.0532448925, 0.00579310488, 0.000273868878},
           .denominator = {0, 0.106489785, 0, 0.000547737756}),
    PRESET("gelu", "gelu", GRKAN_ABS_SUM, 0.001279, -0.824222,
           .numerator = {-0.00127927284, 0.5, 0.408188373, 0.106950305, 0.0087006567, 2.105776e-05},
           .denominator = {0, 0.213900611, 0, 4.211552e-05}),
    PRESET("mish", "mish", GRKAN_ABS_SUM, 0.0001306, -1.17215,
           .numerator = {-2.49424211e-05, 0.600513458, 0.301561356, 0.0842847452, 0.0167187303, 0.00163455401},
           .denominator = {-0.031045666, 0.185830787, 0.00481940061, 0.00186180172}),
    PRESET("softplus", "softplus", GRKAN_ABS_SUM, 1.861e-06, -0.804268,
           .numerator = {0.69314903, 0.5, 0.181013659, 0.0404153652, 0.00536234118, 0.000324774359},
           .denominator = {0, 0.0808307305, 0, 0.000649548718}),
    PRESET("sin", "sin", GRKAN_ABS_SUM, 4.06e-06, -2.86658,
           .numerator = {0, 0.999984562, 0, -0.131292835, 0, 0.00303714653},
           .denominator = {0, 0.0353366025, 0, 0.000618335151}),
    PRESET("identity", "identity", GRKAN_ABS_SUM_OFFSET, 2.982e-08, -3, .numerator = {0, 0.599700153, 0, 0, 0, 0},
           .denominator = {0.499700159, 0, 0, 0, 0}),
    PRESET("relu", "relu", GRKAN_ABS_SUM_OFFSET, 0.01236, 0.077907,
           .numerator = {0.0013182374, 0.0466002338, 0.25218606, 0.403930515, 0.228077188, 0.040623229},
           .denominator = {-0.00679952977, 0, 0.80786103, 0, 0.081246458}),
    PRESET("leaky_relu", "leaky_relu", GRKAN_ABS_SUM_OFFSET, 0.01223, 0.0777241,
           .numerator = {0.00130491692, 0.0470784009, 0.249757171, 0.408145577, 0.225901201, 0.0410493352},
           .denominator = {-0.00677544111, 0, 0.808209062, 0, 0.081285812}),
    PRESET("leaky_relu_0.1", "leaky_relu_0.1", GRKAN_ABS_SUM_OFFSET, 0.01128, 0.139655,
           .numerator = {0.00146013347, 0.0613739863, 0.216394365, 0.291355848, 0.126477331, 0.0236464106},
           .denominator = {-0.0303090066, 0.15880467, 0.409992844, 0.0479957797, 0.0390623063}),
    PRESET("sigmoid", "sigmoid", GRKAN_ABS_SUM_OFFSET, 1.504e-08, -2.84848,
           .numerator = {0.0621695668, 0.0310847815, 0.00689292606, 0.000856067054, 6.02144828e-05, 1.93968094e-06},
           .denominator = {0.024339132, 0, 0.0137858521, 0, 0.000120428966}),
    PRESET("tanh", "tanh", GRKAN_ABS_SUM_OFFSET, 1.402e-06, -2.78861,
           .numerator = {0, 0.0999992415, 0, 0.0107491175, 0, 8.6150314e-05},
           .denominator = {-2.54109884e-21, 0, 0.0440789647, 0, 0.00145042269}),
    PRESET("swish", "swish", GRKAN_ABS_SUM_OFFSET, 4.974e-07, 2.81211,
           .numerator = {4.55761615e-08, 0.0500000007, 0.0249996595, 0.00532448897, 0.000579310465, 2.73868882e-05},
           .denominator = {2.38228016e-21, 0, 0.0106489779, 0, 5.47737764e-05}),
    PRESET("gelu", "gelu", GRKAN_ABS_SUM_OFFSET, 0.00128, -0.824222,
           .numerator = {-1.92676091, 753.068604, 614.78772, 161.081848, 13.1043844, 0.0317159072},
           .denominator = {1506.03723, 1.76581466e-06, 322.163666, 1.32292018e-06, 0.0634317622}),
    PRESET("mish", "mish", GRKAN_ABS_SUM_OFFSET, 3.534e-05, 2.81351,
           .numerator = {1.63207903e-06, 0.0656043142, 0.0183945689, 0.00290406914, 0.000689138658, 8.87784554e-05},
           .denominator = {0.009315948, -0.0276137292, 0.0225521587, -0.00330619467, 0.000411442452}),
    PRESET("softplus", "softplus", GRKAN_ABS_SUM_OFFSET, 1.874e-06, 3,
           .numerator = {0.202517122, 0.14608483, 0.0528867021, 0.0118081449, 0.00156671356, 9.48892193e-05},
           .denominator = {0.192169666, -4.02789374e-13, 0.0236162897, 0, 0.000189778439}),
    PRESET("sin", "sin", GRKAN_ABS_SUM_OFFSET, 4.027e-06, -2.86658,
           .numerator = {0, 0.0999984592, 0, -0.0131292837, 0, 0.000303714653},
           .denominator = {3.49401091e-21, 0, 0.0035336602, 0, 6.18335107e-05}),
    PRESET("identity", "identity", GRKAN_PLAIN, 0, -3, .numerator = {0, 1, 0, 0, 0, 0}, .denominator = {0, 0, 0, 0}),
    PRESET("relu", "relu", GRKAN_PLAIN, 0.01275, 0.444744,
           .numerator = {0.0127511509, 0.5, 2.79266381, 4.54557323, 2.5900538, 0.463888526},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("leaky_relu", "leaky_relu", GRKAN_PLAIN, 0.01263, 0.444744,
           .numerator = {0.0126236398, 0.504999995, 2.76473737, 4.59102917, 2.56415343, 0.468527406},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("leaky_relu_0.1", "leaky_relu_0.1", GRKAN_PLAIN, 0.01148, 0.444744,
           .numerator = {0.0114760362, 0.550000012, 2.51339746, 5.00013065, 2.33104849, 0.51027739},
           .denominator = {0, 9.09114647, 0, 0.927777052}),
    PRESET("sigmoid", "sigmoid", GRKAN_PLAIN, 1.793e-08, -3,
           .numerator = {0.5, 0.25, 0.0554364957, 0.00688493671, 0.000484276214, 1.55999242e-05},
           .denominator = {0, 0.110872991, 0, 0.000968552427}),
    PRESET("tanh", "tanh", GRKAN_PLAIN, 1.402e-06, 1.5647,
           .numerator = {0, 0.999992371, 0, 0.10749118, 0, 0.000861503126},
           .denominator = {0, 0.44078964, 0, 0.0145042269}),
    PRESET("swish", "swish", GRKAN_PLAIN, 4.799e-07, 3,
           .numerator = {4.55761608e-07, 0.5, 0.249996588, 0.0532448925, 0.00579310488, 0.000273868878},
           .denominator = {0, 0.106489785, 0, 0.000547737756}),
    PRESET("gelu", "gelu", GRKAN_PLAIN, 0.001279, -0.824222,
           .numerator = {-0.00127927284, 0.5, 0.408188373, 0.106950305, 0.0087006567, 2.105776e-05},
           .denominator = {0, 0.213900611, 0, 4.211552e-05}),
    PRESET("mish", "mish", GRKAN_PLAIN, 3.537e-05, 1.66907,
           .numerator = {1.49299267e-05, 0.600134909, 0.168269768, 0.0265658312, 0.00630410016, 0.000812127197},
           .denominator = {-0.252604783, 0.206302553, -0.0302443933, 0.00376379164}),
    PRESET("softplus", "softplus", GRKAN_PLAIN, 1.861e-06, -0.804268,
           .numerator = {0.69314903, 0.5, 0.181013659, 0.0404153652, 0.00536234118, 0.000324774359},
           .denominator = {0, 0.0808307305, 0, 0.000649548718}),
    PRESET("sin", "sin", GRKAN_PLAIN, 4.06e-06, -2.86658,
           .numerator = {0, 0.999984562, 0, -0.131292835, 0, 0.00303714653},
           .denominator = {0, 0.0353366025, 0, 0.000618335151}),
    PRESET("identity", "identity", GRKAN_SQUARE, 0, -3, .numerator = {0, 1, 0, 0, 0, 0}, .denominator = {0, 0, 0, 0}),
    PRESET("relu", "relu", GRKAN_SQUARE, 0.01461, 3,
           .numerator = {0.0145976655, 0.498661757, 2.44112182, 3.57397938, 1.85796463, 0.306591928},
           .denominator = {2.63719082, 0.0686638504, 0.0804983974, 0}),
    PRESET("leaky_relu", "leaky_relu", GRKAN_SQUARE, 0.01449, 3,
           .numerator = {0.0144824143, 0.503875852, 2.41067553, 3.56893182, 1.80511904, 0.298678935},
           .denominator = {2.62774253, 0.0618567877, 0.0799669176, 0}),
    PRESET("leaky_relu_0.1", "leaky_relu_0.1", GRKAN_SQUARE, 0.01316, 3,
           .numerator = {0.0131516587, 0.547927737, 2.19803023, 4.00819111, 1.83718395, 0.347997725},
           .denominator = {2.64996076, 0.104413785, 0.0773963109, 0}),
    PRESET("sigmoid", "sigmoid", GRKAN_SQUARE, 7.031e-07, 3,
           .numerator = {0.499999881, 0.249997705, 0.0518205054, 0.00508797495, 0.000139670723, -9.75854073e-06},
           .denominator = {0.321930915, 2.18526911e-05, 0.000424957194, 0}),
    PRESET("tanh", "tanh", GRKAN_SQUARE, 0.002021, 1.18339,
           .numerator = {0, 0.992708266, 0, -0.0680603087, 0, 0.000835650077},
           .denominator = {-0.493989259, 0, 0.0328867286, 0}),
    PRESET("swish", "swish", GRKAN_SQUARE, 1.4e-06, 3,
           .numerator = {1.05988272e-06, 0.49999693, 0.249992982, 0.0528712161, 0.00563498167, 0.000255097257},
           .denominator = {0.32516098, 8.77141647e-05, 0.000751777494, 0}),
    PRESET("gelu", "gelu", GRKAN_SQUARE, 0.0003071, 3,
           .numerator = {-0.000306873699, 0.499952763, 0.401733845, 0.0806647018, -0.00820982922, -0.00295419781},
           .denominator = {0.401303798, -0.00496887555, -0.00309368782, -0.00110478606}),
    PRESET("mish", "mish", GRKAN_SQUARE, 0.0001572, -2.01648,
           .numerator = {-1.30050848e-05, 0.60050869, 0.320182413, 0.0906166509, 0.0175329763, 0.00168153294},
           .denominator = {0.424188405, 0.0120124714, 0.00123596867, 0}),
    PRESET("softplus", "softplus", GRKAN_SQUARE, 1.706e-05, 3,
           .numerator = {0.69313103, 0.499985039, 0.184429169, 0.0432057604, 0.00622583227, 0.000422054203},
           .denominator = {0.292649627, 0.000893462042, 0.00124295626, 0}),
    PRESET("sin", "sin", GRKAN_SQUARE, 2.901e-06, -2.86776,
           .numerator = {0, 0.999989092, 0, -0.13054885, 0, 0.00296165724},
           .denominator = {0.189977974, 0, 0.0017398576, 0}),
};

enum { FITTED_PRESETS = sizeof presets / sizeof *presets, PRESETS = FITTED_PRESETS + KAT_PRESETS };

const grkan_preset *grkan_preset_at(int index)
{
    if (index >= 0 && index < FITTED_PRESETS)
        return &presets[index];
    return index >= FITTED_PRESETS && index < PRESETS ? &grkan_kat_presets[index - FITTED_PRESETS] : NULL;
}

static grkan_status fail_name(const char *name)
{
    char names[512] = "";
    const grkan_preset *preset;
    for (int i = 0; (preset = grkan_preset_at(i)) != NULL; i++) {
        if (i < FITTED_PRESETS && preset->form != presets[0].form)
            continue; /* of each name once */
        strcat(strcat(names, i ? ", " : ""), preset->name);
    }
    return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "name is \"%s\"; expected one of %s", name, names);
}

grkan_status grkan_preset_find(const char *name, grkan_form form, const grkan_preset **preset)
{
    const grkan_preset *candidate, *other = NULL;
    if (preset == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "preset is NULL; expected where to put it");
    *preset = NULL;
    if (name == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "name is NULL; expected the name of a preset");
    if (grkan_form_name(form) == NULL)
        return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "form is %d; expected a grkan_form", (int)form);
    for (int i = 0; (candidate = grkan_preset_at(i)) != NULL; i++) {
        if (strcmp(candidate->name, name) != 0)
            continue;
        if (candidate->form == form) {
            *preset = candidate;
            return GRKAN_SUCCESS;
        }
        other = candidate;
    }
    if (other == NULL)
        return fail_name(name);
    return grkan_fail(GRKAN_ERROR_INVALID_ARGUMENT, "form is %s; expected %s, which the preset \"%s\" was fitted for",
                      grkan_form_name(form), grkan_form_name(other->form), name);
}
