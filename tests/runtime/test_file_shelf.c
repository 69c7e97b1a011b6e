/* A file of a shelf is the old one or the new one, whole; whatever becomes of who writes it. */
#include "runtime/file_shelf.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "tests/runtime/run_suite.h"

enum { PATH_LEN = 128, CONTENT_MAX = 1 << 20, ROUNDS = 300, WRITERS = 3, SPACE = 50000 };

#define NAME "order.log-0.snapshot"

static char parent[PATH_LEN], folder[PATH_LEN + 8];
static struct shelf *shelf;

static void open_folder(void)
{
    snprintf(parent, sizeof parent, "%s", "/tmp/test_file_shelf.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(parent));
    snprintf(folder, sizeof folder, "%s/shelf", parent);
    ck_assert_int_eq(shelf_open(folder, &shelf).code, ERR_OK);
}

static void remove_all(void)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        unlinkat(dirfd(dir), entry->d_name, 0); /* not what is a folder */
    closedir(dir);
    rmdir(folder);
}

static void close_folder(void)
{
    shelf_close(shelf);
    remove_all();
    ck_assert_int_eq(rmdir(parent), 0);
}

/* How many files lie there. */
static int files(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static mode_t mode_of(const char *path)
{
    struct stat found;
    ck_assert_int_eq(stat(path, &found), 0);
    return found.st_mode & 07777;
}

static FILE *begin(void)
{
    FILE *file = NULL;
    ck_assert_int_eq(shelf_write(shelf, NAME, &file).code, ERR_OK);
    ck_assert_ptr_nonnull(file);
    return file;
}

static void write_many(FILE *file, char letter, size_t len)
{
    for (size_t i = 0; i < len; i++)
        fputc(letter, file);
}

static void keep(char letter, size_t len)
{
    FILE *file = begin();
    write_many(file, letter, len);
    ck_assert_int_eq(shelf_keep(shelf, NAME, file, true).code, ERR_OK);
}

/* All of it is one letter: which, and how often; '\0': nothing lies there. */
static char letter_there(size_t *ret_len)
{
    static char content[CONTENT_MAX + 1];
    FILE *file;
    *ret_len = 0;
    if (shelf_read(shelf, NAME, &file).code != ERR_OK)
        return '\0';
    *ret_len = fread(content, 1, CONTENT_MAX, file);
    fclose(file);
    ck_assert(*ret_len < 2 || memcmp(content, content + 1, *ret_len - 1) == 0);
    content[*ret_len] = '\0';
    return content[0];
}

static void expect(char letter, size_t len)
{
    size_t found;
    ck_assert_int_eq(letter_there(&found), letter);
    ck_assert_uint_eq(found, len);
}

START_TEST(what_is_kept_is_read_again_and_what_is_not_is_not)
{
    expect('\0', 0);
    keep('a', 100000);
    expect('a', 100000);
    FILE *file = begin();
    write_many(file, 'b', 200000);
    expect('a', 100000);
    ck_assert_int_eq(shelf_keep(shelf, NAME, file, false).code, ERR_UNAVAILABLE);
    expect('a', 100000);
    ck_assert_int_eq(files(), 1);
    keep('c', 5);
    expect('c', 5);
    ck_assert_int_eq(files(), 1);
}
END_TEST

START_TEST(who_reads_goes_on_reading_what_he_has_opened)
{
    size_t count = 0;
    keep('a', 100000);
    FILE *old;
    ck_assert_int_eq(shelf_read(shelf, NAME, &old).code, ERR_OK);
    keep('b', 100000);
    while (fgetc(old) == 'a')
        count++;
    fclose(old);
    ck_assert_uint_eq(count, 100000);
    expect('b', 100000);
}
END_TEST

START_TEST(the_folder_is_for_its_user_alone)
{
    umask(0);
    remove_all();
    shelf_close(shelf);
    ck_assert_int_eq(shelf_open(folder, &shelf).code, ERR_OK);
    keep('a', 1);
    char path[sizeof folder + sizeof NAME];
    snprintf(path, sizeof path, "%s/%s", folder, NAME);
    ck_assert_int_eq(mode_of(folder), 0700);
    ck_assert_int_eq(mode_of(path), 0600);
}
END_TEST

/* ---- what is no folder to write to ---------------------------------------------------------- */

static void expect_no_shelf(const char *path)
{
    struct shelf *none = NULL;
    ck_assert_int_eq(shelf_open(path, &none).code, ERR_CONFIG);
    ck_assert_ptr_null(none);
}

START_TEST(a_file_is_no_shelf)
{
    char path[sizeof folder + 8];
    snprintf(path, sizeof path, "%s/file", folder);
    int file = open(path, O_CREAT | O_WRONLY, 0700);
    ck_assert_int_ge(file, 0);
    close(file);
    expect_no_shelf(path); /* also when it can be executed */
    snprintf(path, sizeof path, "%s/no/no", folder);
    expect_no_shelf(path);
    expect_no_shelf("");
}
END_TEST

START_TEST(a_name_can_be_too_long)
{
    char name[5000];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    expect_no_shelf(name);
}
END_TEST

START_TEST(a_folder_of_others_is_no_shelf)
{
    expect_no_shelf("/dev/null/snapshots"); /* not even root makes files there */
}
END_TEST

/* ---- others who write ----------------------------------------------------------------------- */

/* In a child, in a folder of its own opening; what it returns is how it exits. */
static pid_t start(int (*what)(struct shelf *mine))
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child > 0)
        return child;
    struct shelf *mine;
    int code = shelf_open(folder, &mine).code == ERR_OK ? what(mine) : 99;
    _exit(code);
}

static int end_of(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int try_to_write(struct shelf *mine)
{
    FILE *file;
    return (int)shelf_write(mine, NAME, &file).code;
}

START_TEST(nobody_writes_what_another_is_writing)
{
    struct shelf *other;
    FILE *none = NULL, *another;
    ck_assert_int_eq(shelf_open(folder, &other).code, ERR_OK);
    FILE *file = begin();
    write_many(file, 'a', 100000);
    ck_assert_int_eq(end_of(start(try_to_write)), ERR_CONFLICT);
    ck_assert_int_eq(shelf_write(other, NAME, &none).code, ERR_CONFLICT);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(shelf_write(other, "order.log-1.snapshot", &another).code, ERR_OK);
    ck_assert_int_eq(shelf_keep(other, "order.log-1.snapshot", another, true).code, ERR_OK);
    write_many(file, 'a', 100000);
    ck_assert_int_eq(shelf_keep(shelf, NAME, file, true).code, ERR_OK);
    expect('a', 200000);
    ck_assert_int_eq(end_of(start(try_to_write)), ERR_OK);
    shelf_close(other);
}
END_TEST

/* Says that it is half way, and waits to be killed. */
static int ready[2];

static int write_half(struct shelf *mine)
{
    FILE *file;
    if (shelf_write(mine, NAME, &file).code != ERR_OK)
        return 1;
    write_many(file, 'b', 100000);
    if (write(ready[1], "x", 1) != 1)
        return 1;
    pause();
    return 1;
}

START_TEST(who_is_killed_half_way_leaves_what_there_was)
{
    char x;
    keep('a', 1000);
    ck_assert_int_eq(pipe(ready), 0);
    for (int i = 0; i < 3; i++) {
        pid_t child = start(write_half);
        ck_assert_int_eq(read(ready[0], &x, 1), 1);
        ck_assert_int_eq(end_of(start(try_to_write)), ERR_CONFLICT);
        kill(child, SIGKILL);
        ck_assert_int_eq(end_of(child), -1);
        expect('a', 1000);
    }
    keep('c', 10); /* shorter than what the dead one left */
    expect('c', 10);
    ck_assert_int_eq(files(), 1);
}
END_TEST

static int letter_of_child;

/* Whenever it may, it writes much of its own letter. Every seventh is given up. */
static int write_again_and_again(struct shelf *mine)
{
    for (int i = 0; i < ROUNDS;) {
        FILE *file;
        if (shelf_write(mine, NAME, &file).code != ERR_OK) {
            sched_yield();
            continue;
        }
        write_many(file, (char)letter_of_child, 10000 + (size_t)letter_of_child);
        bool whole = i++ % 7 != 0;
        if (whole != (shelf_keep(mine, NAME, file, whole).code == ERR_OK))
            return 1;
    }
    return 0;
}

START_TEST(many_writers_leave_no_mixture)
{
    pid_t children[WRITERS];
    size_t len;
    for (int i = 0; i < WRITERS; i++) {
        letter_of_child = 'a' + i;
        children[i] = start(write_again_and_again);
    }
    for (int i = 0; i < ROUNDS; i++) {
        char letter = letter_there(&len);
        if (letter)
            ck_assert_uint_eq(len, 10000 + (size_t)letter);
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(end_of(children[i]), 0);
    letter_there(&len);
    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(files(), 1);
}
END_TEST

/* ---- a full disk ---------------------------------------------------------------------------- */

static size_t too_much;

static int write_too_much(struct shelf *mine)
{
    FILE *file;
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit little = {SPACE, SPACE};
    if (setrlimit(RLIMIT_FSIZE, &little) != 0 || shelf_write(mine, NAME, &file).code != ERR_OK)
        return 98;
    write_many(file, 'b', too_much);
    struct err e = shelf_keep(mine, NAME, file, true);
    return (int)e.code;
}

START_TEST(a_full_disk_leaves_what_there_was)
{
    keep('a', 1000);
    for (too_much = SPACE + 1; too_much <= 8 * SPACE; too_much *= 2) {
        ck_assert_int_eq(end_of(start(write_too_much)), ERR_UNAVAILABLE);
        expect('a', 1000);
        ck_assert_int_eq(files(), 1);
    }
    too_much = SPACE;
    ck_assert_int_eq(end_of(start(write_too_much)), ERR_OK);
    expect('b', SPACE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_is_kept_is_read_again_and_what_is_not_is_not,
                                  who_reads_goes_on_reading_what_he_has_opened,
                                  the_folder_is_for_its_user_alone,
                                  a_file_is_no_shelf,
                                  a_name_can_be_too_long,
                                  a_folder_of_others_is_no_shelf,
                                  nobody_writes_what_another_is_writing,
                                  who_is_killed_half_way_leaves_what_there_was,
                                  many_writers_leave_no_mixture,
                                  a_full_disk_leaves_what_there_was};
    return run_suite_with("file_shelf", tests, COUNT(tests), open_folder, close_folder);
}
