/* SPDX-License-Identifier: Apache-2.0 */
/** @file test_output.c @brief What the program's files are written to, and what is left when that goes wrong. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../core/platform/platform.h"

static const char OLD[] = "old\n", NEW[] = "new content\n";

/* ------------------------------------------------------------------------------------------ a rename that goes wrong */

static int signal_before_rename, error_of_rename;

int __real_renameat(int from_folder, const char *from, int to_folder, const char *to);
int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to);

int __wrap_renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    if (signal_before_rename != 0)
        raise(signal_before_rename);
    if (error_of_rename != 0) {
        errno = error_of_rename;
        return -1;
    }
    return __real_renameat(from_folder, from, to_folder, to);
}

/* --------------------------------------------------------------------------------------------------------- folders */

static char folder[] = "/tmp/grkan-output-XXXXXX";

/** Every test runs in a folder of its own. */
static int enter_folder(void **state)
{
    (void)state;
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    umask(022);
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    char command[64];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void check_content(const char *path, const char *expected)
{
    char text[256] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, expected);
}

static mode_t mode_of(const char *path)
{
    struct stat found;
    assert_int_equal(lstat(path, &found), 0);
    return found.st_mode;
}

/** No other file was left. */
static void check_count(int expected)
{
    int count = 0;
    DIR *all = opendir(".");
    assert_non_null(all);
    for (const struct dirent *entry; (entry = readdir(all)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(all);
    assert_int_equal(count, expected);
}

static bool write_new(const char *path)
{
    return grkan_output_write(path, NEW, strlen(NEW));
}

static void check_written(const char *path)
{
    assert_true(grkan_output_check(path));
    assert_true(write_new(path));
}

/** Both say so, and change nothing. */
static void check_refused(const char *path, int reason)
{
    errno = 0;
    assert_false(grkan_output_check(path));
    assert_int_equal(errno, reason);
    errno = 0;
    assert_false(write_new(path));
    assert_int_equal(errno, reason);
}

/* --------------------------------------------------------------------------------------------------- regular files */

static void test_new_files_have_the_mode_that_the_umask_allows(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        static const mode_t masks[] = {0022, 0077, 0002};
        umask(masks[i]);
        check_written("new");
        check_content("new", NEW);
        assert_int_equal(mode_of("new") & 07777, 0666 & ~masks[i]);
        assert_int_equal(unlink("new"), 0);
    }
    check_count(0);
}

static void test_a_check_leaves_things_as_they_are(void **state)
{
    (void)state;
    put("old", OLD);
    assert_true(grkan_output_check("old"));
    assert_true(grkan_output_check("new"));
    check_content("old", OLD);
    check_count(1);
}

static void test_files_keep_their_mode(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        static const mode_t modes[] = {0600, 0664, 0755};
        put("old", OLD);
        assert_int_equal(chmod("old", modes[i]), 0);
        check_written("old");
        check_content("old", NEW);
        assert_int_equal(mode_of("old") & 07777, modes[i]);
    }
    check_count(1);
}

static void test_files_keep_their_owner(void **state)
{
    struct stat found;
    (void)state;
    put("old", OLD);
    if (chown("old", 1234, 4321) != 0)
        skip();
    check_written("old");
    assert_int_equal(stat("old", &found), 0);
    assert_int_equal(found.st_uid, 1234);
    assert_int_equal(found.st_gid, 4321);
}

static void test_readers_of_the_old_file_keep_it(void **state)
{
    char text[8] = "";
    (void)state;
    put("old", OLD);
    assert_int_equal(link("old", "other"), 0);
    const int descriptor = open("old", O_RDONLY);
    check_written("old");
    assert_int_equal(read(descriptor, text, sizeof text - 1), strlen(OLD));
    assert_string_equal(text, OLD);
    assert_int_equal(close(descriptor), 0);
    check_content("other", OLD);
    check_content("old", NEW);
}

static void test_long_names(void **state)
{
    char name[256];
    (void)state;
    memset(name, 'n', 255);
    name[255] = '\0';
    check_written(name);
    check_content(name, NEW);
    check_count(1);
}

/* ---------------------------------------------------------------------------------------------------------- links */

static void test_links_stay(void **state)
{
    (void)state;
    assert_int_equal(mkdir("a", 0755), 0);
    assert_int_equal(mkdir("b", 0755), 0);
    put("b/target", OLD);
    assert_int_equal(symlink("../b/target", "a/second"), 0); /* from where the link is, not from here */
    assert_int_equal(symlink("a/second", "first"), 0);
    check_written("first");
    check_content("b/target", NEW);
    assert_true(S_ISLNK(mode_of("first")) && S_ISLNK(mode_of("a/second")) && S_ISREG(mode_of("b/target")));
    check_count(3);
}

static void test_links_to_nothing_get_their_target(void **state)
{
    char absolute[64];
    (void)state;
    assert_int_equal(symlink("target", "link"), 0);
    check_written("link");
    check_content("target", NEW);
    (void)snprintf(absolute, sizeof absolute, "%s/other", folder);
    assert_int_equal(symlink(absolute, "absolute"), 0);
    check_written("absolute");
    check_content("other", NEW);
    assert_true(S_ISLNK(mode_of("link")) && S_ISLNK(mode_of("absolute")));
    check_count(4);
}

static void test_links_that_lead_nowhere(void **state)
{
    (void)state;
    assert_int_equal(symlink("missing/target", "far"), 0);
    assert_int_equal(symlink("round", "round"), 0);
    check_refused("far", ENOENT);
    check_refused("round", ELOOP);
    check_count(2);
}

/* --------------------------------------------------------------------------------------------------- other things */

static void test_devices_are_written_to(void **state)
{
    (void)state;
    if (mknod("null", S_IFCHR | 0666, makedev(1, 3)) != 0 || mknod("full", S_IFCHR | 0666, makedev(1, 7)) != 0)
        skip(); /* only root can */
    assert_int_equal(symlink("null", "link"), 0);
    check_written("null");
    check_written("link");
    assert_true(grkan_output_check("full"));
    assert_false(write_new("full"));
    assert_int_equal(errno, ENOSPC);
    assert_true(S_ISCHR(mode_of("null")) && S_ISCHR(mode_of("full")) && S_ISLNK(mode_of("link")));
    check_count(3);
}

static void test_pipes_are_written_to(void **state)
{
    int status;
    (void)state;
    assert_int_equal(mkfifo("pipe", 0666), 0);
    assert_true(grkan_output_check("pipe")); /* which does not wait for a reader */
    const pid_t child = fork();
    if (child == 0)
        _exit(write_new("pipe") ? 0 : 1);
    check_content("pipe", NEW);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(S_ISFIFO(mode_of("pipe")));
    check_count(1);
}

/** Whatever is open there, from where it stands: a file that the shell made gets what comes after. */
static void test_descriptors_are_written_to(void **state)
{
    char path[64];
    (void)state;
    const int file = open("file", O_RDWR | O_CREAT, 0644);
    assert_int_equal(write(file, OLD, strlen(OLD)), strlen(OLD));
    (void)snprintf(path, sizeof path, "/dev/fd/%d", file);
    check_written(path);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    assert_int_equal(symlink(path, "link"), 0);
    check_written("link");
    assert_int_equal(write(file, "end", 3), 3);
    check_content("file", "old\nnew content\nnew content\nend");
    assert_int_equal(close(file), 0);
    check_refused(path, EBADF);
    const int read_only = open("file", O_RDONLY);
    (void)snprintf(path, sizeof path, "/dev/fd/%d", read_only);
    check_refused(path, EBADF);
    assert_int_equal(close(read_only), 0);
    check_count(2);
}

static void test_the_standard_output(void **state)
{
    static const char *const names[] = {"-", "stdout"};
    (void)state;
    assert_int_equal(symlink("/proc/self/fd/1", "stdout"), 0); /* as /dev/stdout is, which a fault must not take away */
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        const pid_t child = fork();
        int status;
        if (child == 0) {
            const int file = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
            (void)dup2(file, STDOUT_FILENO);
            printf("printed\n"); /* and not written yet */
            const int failed = !grkan_output_check(names[i]) || !write_new(names[i]);
            printf("after\n");
            fflush(stdout);
            _exit(failed);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        check_content("out", "printed\nnew content\nafter\n");
    }
    check_count(2);
}

static void test_what_cannot_be_written(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
    (void)state;
    assert_int_equal(mkdir("folder", 0755), 0);
    put("file", OLD);
    const int socket_made = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(socket_made, (const struct sockaddr *)&name, sizeof name), 0);
    check_refused("folder", EISDIR);
    check_refused("folder/", EISDIR);
    check_refused(".", EISDIR);
    check_refused("/dev/fd", EISDIR);
    check_refused("socket", ENXIO);
    check_refused("", ENOENT);
    check_refused("missing/file", ENOENT);
    check_refused("new/", ENOENT);
    check_refused("file/", ENOTDIR);
    check_refused("file/below", ENOTDIR);
    check_content("file", OLD);
    assert_int_equal(close(socket_made), 0);
    check_count(3);
}

/** As somebody else than root. */
static void test_without_the_right_to_write(void **state)
{
    int status;
    (void)state;
    assert_int_equal(mkdir("closed", 0755), 0);
    put("closed/theirs", OLD);
    put("read_only", OLD);
    assert_int_equal(chmod("read_only", 0444), 0);
    assert_int_equal(chmod(".", 0777), 0);
    if (geteuid() != 0)
        assert_int_equal(chmod("closed", 0555), 0);
    const pid_t child = fork();
    if (child == 0) {
        static const char *const paths[] = {"closed/new", "closed/theirs", "read_only"};
        int good = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
        for (int i = 0; i < 3; i++) {
            good = good && !grkan_output_check(paths[i]) && errno == EACCES;
            good = good && (i == 2 || (!write_new(paths[i]) && errno == EACCES));
        }
        _exit(!good);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_content("closed/theirs", OLD);
    check_count(2);
    assert_int_equal(chmod("closed", 0755), 0);
}

/* ------------------------------------------------------------------------------------------- errors and interrupts */

static void test_a_failing_rename_leaves_the_old_file(void **state)
{
    (void)state;
    put("old", OLD);
    error_of_rename = EIO;
    const bool old = write_new("old");
    const int old_reason = errno;
    const bool new = write_new("new");
    const int new_reason = errno;
    error_of_rename = 0;
    assert_false(old);
    assert_int_equal(old_reason, EIO);
    assert_false(new);
    assert_int_equal(new_reason, EIO);
    check_content("old", OLD);
    check_count(1);
}

/** As on a full disk: the first bytes go, and the rest does not. */
static void test_no_room_leaves_the_old_file(void **state)
{
    int status;
    (void)state;
    put("old", OLD);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {5, 5};
        signal(SIGXFSZ, SIG_IGN);
        _exit(setrlimit(RLIMIT_FSIZE, &limit) != 0 || write_new("old") || errno != EFBIG);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_content("old", OLD);
    check_count(1);
}

static void test_an_interrupt_leaves_the_old_file(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    (void)state;
    put("old", OLD);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        int status;
        const pid_t child = fork();
        if (child == 0) {
            const struct rlimit no_core = {0, 0};
            (void)setrlimit(RLIMIT_CORE, &no_core);
            signal(signals[i], SIG_DFL);
            signal_before_rename = signals[i];
            (void)write_new("old");
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        check_content("old", OLD);
        check_count(1);
    }
}

/** nohup. */
static void test_ignored_signals_stay_ignored(void **state)
{
    int status;
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGHUP, SIG_IGN);
        signal_before_rename = SIGHUP;
        const int failed = !write_new("new");
        raise(SIGHUP);
        _exit(failed);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_content("new", NEW);
    check_count(1);
}

static void test_handlers_are_as_before(void **state)
{
    struct sigaction before, after;
    (void)state;
    assert_int_equal(sigaction(SIGTERM, NULL, &before), 0);
    check_written("new");
    assert_int_equal(sigaction(SIGTERM, NULL, &after), 0);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_files_have_the_mode_that_the_umask_allows),
        TEST(test_a_check_leaves_things_as_they_are),
        TEST(test_files_keep_their_mode),
        TEST(test_files_keep_their_owner),
        TEST(test_readers_of_the_old_file_keep_it),
        TEST(test_long_names),
        TEST(test_links_stay),
        TEST(test_links_to_nothing_get_their_target),
        TEST(test_links_that_lead_nowhere),
        TEST(test_devices_are_written_to),
        TEST(test_pipes_are_written_to),
        TEST(test_descriptors_are_written_to),
        TEST(test_the_standard_output),
        TEST(test_what_cannot_be_written),
        TEST(test_without_the_right_to_write),
        TEST(test_a_failing_rename_leaves_the_old_file),
        TEST(test_no_room_leaves_the_old_file),
        TEST(test_an_interrupt_leaves_the_old_file),
        TEST(test_ignored_signals_stay_ignored),
        TEST(test_handlers_are_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
