/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fma.h
 * @brief fma and fmaf that round once, which MinGW's do not. The compiler includes this in front of every file.
 *
 * Where it has an instruction for them it takes that, and computes constants itself; what is left calls these, under names
 * of our own, so that a program's other calls keep what they had.
 */
#ifndef GRKAN_FMA_H
#define GRKAN_FMA_H

/** x y + z, rounded once to the nearest double. */
double fma(double x, double y, double z) __asm__("grkan_fma");

/** x y + z, rounded once to the nearest float. */
float fmaf(float x, float y, float z) __asm__("grkan_fmaf");

#endif
