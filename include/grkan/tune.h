/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tune.h
 * @brief How passes run best on a device: read, tried, and kept for later. Errors are reported as grkan.h says.
 *
 * A device has a tuning for each kind of pass. When it is opened they come from the first of these that there is:
 *
 *     file     what grkan_device_keep_tunings wrote for a device of this name, architecture and driver, under this version of
 *              grkan, beside the compiled kernels. `grkan bench --tune` measures it
 *     table    of devices that were measured before, which comes with grkan
 *     default  what follows from what the device tells of itself
 *
 * The environment's GRKAN_TUNING=table goes without the file, and GRKAN_TUNING=default without the table, too. Plans that promise
 * GRKAN_RUN_TO_RUN have the same bits as long as the device has the same tunings; those that promise GRKAN_DEVICE_TO_DEVICE
 * have the same bits whatever they are.
 */
#ifndef GRKAN_TUNE_H
#define GRKAN_TUNE_H

#include <grkan/grkan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a pass runs best on a device. */
typedef struct grkan_tuning {
    int32_t block;           /**< threads of a block, where the shape leaves a choice */
    int32_t occupancy;       /**< threads that a compute unit holds at once: a bound for registers; 0: unknown */
    int32_t grid_waves;      /**< blocks of a grid for each that the device holds at once */
    int32_t stages;          /**< of the pipeline: steps that are on their way while one is computed; at least 1 */
    int32_t step;            /**< elements that a thread takes at once, of several rows if need be: 1, 2, 4, 8 or 16 */
    int32_t least_row_bytes; /**< of a row of a block that has fewer groups than fit for the sake of its size; 0: none
                                has */
} grkan_tuning;

/** Passes that have a tuning of their own; of storage types of 4 and 8 bytes unless they say otherwise. */
typedef enum grkan_tuning_kind {
    GRKAN_TUNING_FORWARD = 0,
    GRKAN_TUNING_FORWARD_16_BIT = 1, /**< in vectors of 8 and 16 bytes */
    GRKAN_TUNING_FORWARD_NORM = 2,   /**< where rows are summed: its blocks wait for each other's threads */
    GRKAN_TUNING_BACKWARD = 3,
    GRKAN_TUNING_BACKWARD_16_BIT = 4,
    GRKAN_TUNING_BACKWARD_LARGE = 5,  /**< where a thread's numbers leave no registers for the former */
    GRKAN_TUNING_BACKWARD_NARROW = 6, /**< in vectors of less than 16 bytes; 16-bit ones of several groups */
    GRKAN_TUNING_BACKWARD_NORM = 7,   /**< with a norm, whatever the vectors */
    GRKAN_TUNING_BACKWARD_BIAS = 8    /**< 16-bit, with a bias */
} grkan_tuning_kind;

/** How many those are. */
#define GRKAN_TUNING_KINDS 9

/** Where a device's tunings come from. */
typedef enum grkan_tuning_source {
    GRKAN_TUNING_NONE = 0, /**< the device has none: the cpu */
    GRKAN_TUNING_DEFAULT = 1,
    GRKAN_TUNING_TABLE = 2,
    GRKAN_TUNING_FILE = 3,
    GRKAN_TUNING_CALLER = 4 /**< grkan_device_tune */
} grkan_tuning_source;

/** The tunings of a device. */
typedef struct grkan_tunings {
    grkan_tuning_source source;
    char note
        [512]; /**< of which devices the table has them; which file has them, or why it is not used; "" where there is nothing to
                         say. A file is forgotten by removing it */
    grkan_tuning of[GRKAN_TUNING_KINDS]; /**< of each grkan_tuning_kind */
} grkan_tunings;

/** @return "forward", "backward_16_bit": the names that the program uses; NULL for another value. */
GRKAN_API const char *grkan_tuning_name(grkan_tuning_kind kind);

/** @return "none", "default", "table", "file", "caller"; NULL for another value. */
GRKAN_API const char *grkan_tuning_source_name(grkan_tuning_source source);

/**
 * Tell a device's tunings.
 * @param most    GRKAN_TUNING_DEFAULT or _TABLE: what they would be if there were no sources above it; otherwise, what they are
 * @param tunings out, not NULL
 */
GRKAN_API grkan_status grkan_device_tunings(const grkan_device *device, grkan_tuning_source most,
                                            grkan_tunings *tunings);

/**
 * Give a device other tunings, for plans that are made from now on, until it is closed. No other thread may make plans of it
 * meanwhile. They are preferences: what the device or an operation does not allow is not done.
 * @param tunings not NULL; source and note do not count. Blocks of 32..1024 threads, a multiple of 32; occupancy 0..4096;
 *                grid_waves 1..1024; stages 1..4; a step as above; least_row_bytes 0..65536
 * @return GRKAN_ERROR_UNSUPPORTED where the device has none
 */
GRKAN_API grkan_status grkan_device_tune(grkan_device *device, const grkan_tunings *tunings);

/**
 * Keep a device's tunings, as they are, in its file.
 * @return GRKAN_ERROR_UNSUPPORTED where the device has none, or there is no cache (GRKAN_CACHE=off, or a folder that cannot be
 *         written or entered by others, too)
 */
GRKAN_API grkan_status grkan_device_keep_tunings(const grkan_device *device);

#ifdef __cplusplus
}
#endif

#endif
