/* SPDX-License-Identifier: Apache-2.0 */
/** @file replay.c @brief Runs a fuzzer once for every file of a folder, its kept corpus. Needs no libFuzzer. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

static void replay(const char *folder, const char *name)
{
    char path[4096];
    static uint8_t data[1 << 20];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    fuzz_require(file != NULL);
    const size_t size = fread(data, 1, sizeof data, file);
    fuzz_require(feof(file) && fclose(file) == 0);
    printf("%s\n", name);
    fflush(stdout); /* known when this one ends the process */
    (void)LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
    int count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        fputs("Usage: replay FOLDER\n", stderr);
        return 2;
    }
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.') {
            replay(argv[1], entry->d_name);
            count++;
        }
    closedir(folder);
    return count > 0 ? 0 : 1;
}
