/* SPDX-License-Identifier: Apache-2.0 */
/** @file main.c @brief The program grkan: picks the sub-command and runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/platform/platform.h"
#include "common/options.h"
#include "common/tools.h"

static const struct command {
    const char *name;
    const char *brief;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"devices", "list every backend: its devices, or why it has none", grkan_tool_devices},
    {"check", "compare every kind of operation with a double-precision reference", grkan_tool_check},
    {"bench", "measure forward and backward, and the device's copy beside them", grkan_tool_bench},
    {"compile", "compile kernels for a device that need not be there, and tell what they take", grkan_tool_compile},
    {"fit", "coefficients that approximate a function, and how well", grkan_tool_fit},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(FILE *stream)
{
    fputs("Usage: grkan COMMAND [OPTION...]\n"
          "The group-wise rational function of GR-KAN layers on any device.\n\n"
          "Commands:\n",
          stream);
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].brief);
    fputs("\nOptions:\n"
          "  --help     this text; `grkan COMMAND --help' tells more of a command\n"
          "  --version  version and commit\n\n"
          "A device is cpu, cuda, cuda:1, hip:0 or opencl:0:1 (platform:device). Without one, it is the environment's\n"
          "GRKAN_DEVICE, else the first that works of cuda, hip, an OpenCL GPU and the cpu. GRKAN_BACKEND_PATH says\n"
          "where the backends' modules are, GRKAN_LIBRARY_FOLDERS where they look for vendors' libraries, too.\n\n"
          "Exit status: 0 good, 1 a check or a run failed, 2 bad usage, 3 no such device.\n",
          stream);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    char name[256];
    snprintf(name, sizeof name, "%s %s", grkan_path_name(argv[0]), command->name);
    argv[1] = name;
    return command->run(argc - 1, argv + 1);
}

/** Find what argv asks for and do it. */
static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return TOOL_BAD_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0) {
        print_help(stdout);
        return TOOL_GOOD;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        options_print_version();
        return TOOL_GOOD;
    }
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argc, argv);
    fprintf(stderr, "grkan: unknown command '%s'; the commands are", argv[1]);
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
    fputs(". Try `grkan --help'.\n", stderr);
    return TOOL_BAD_USAGE;
}

/** Folders for vendors' libraries; the Python package names those of its neighbours. What is no absolute path is left out. */
static void add_library_folders(void)
{
    const char *const named = grkan_environment("GRKAN_LIBRARY_FOLDERS");
    char *const folders = tool_copy_text(named != NULL ? named : "");
    for (char *folder = strtok(folders, GRKAN_LIST_SEPARATOR); folder; folder = strtok(NULL, GRKAN_LIST_SEPARATOR))
        (void)grkan_add_library_folder(folder);
    free(folders);
}

int main(int argc, char **argv)
{
    grkan_program_begin(&argc, &argv);
    add_library_folders();
    return tool_flush(dispatch(argc, argv));
}
