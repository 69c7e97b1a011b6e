/* What is written stands beside the old file, under a lock, until it takes its name. Nothing is
 * synced: what a loss of power leaves half-written is found out by its sum, and costs a fold. */
#include "runtime/file_shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0700, FILE_MODE = 0600 };

struct shelf {
    char folder[PATH_MAX - SHELF_NAME_MAX - 8];
};

static void path_of(const struct shelf *shelf, const char *name, const char *suffix,
                    char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s%s", shelf->folder, name, suffix);
}

/* Returns an errno; 0: it is there, and can be written to. */
static int make_folder(struct shelf *shelf, const char *folder)
{
    char inside[PATH_MAX];
    int len = snprintf(shelf->folder, sizeof shelf->folder, "%s", folder);
    if (len <= 0 || (size_t)len >= sizeof shelf->folder)
        return ENAMETOOLONG;
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return errno;
    path_of(shelf, "", ".", inside); /* of a file there is no such path */
    return access(inside, R_OK | W_OK | X_OK) == 0 ? 0 : errno;
}

struct err shelf_open(const char *folder, struct shelf **ret_shelf)
{
    struct shelf *shelf = calloc(1, sizeof *shelf);
    if (!shelf)
        return FAIL(ERR_NOMEM, "shelf");
    int cause = make_folder(shelf, folder);
    if (cause != 0) {
        free(shelf);
        return FAIL_CAUSE(ERR_CONFIG, "the folder of snapshots", cause);
    }
    *ret_shelf = shelf;
    return OK;
}

void shelf_close(struct shelf *shelf)
{
    free(shelf);
}

/* The file may have taken its name, by another hand, between being opened and being locked. */
static bool is_still(int file, const char *path)
{
    struct stat opened, found;
    return fstat(file, &opened) == 0 && stat(path, &found) == 0 && opened.st_ino == found.st_ino &&
           opened.st_dev == found.st_dev;
}

/* Of nobody else; ERR_CONFLICT. */
static struct err take(int file, const char *path, FILE **ret_stream)
{
    bool locked = flock(file, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK)
        return FAIL_CAUSE(ERR_UNAVAILABLE, "lock of a snapshot", errno);
    if (!locked || !is_still(file, path))
        return FAIL(ERR_CONFLICT, "another process writes this snapshot");
    *ret_stream = ftruncate(file, 0) == 0 ? fdopen(file, "w") : NULL;
    return *ret_stream ? OK : FAIL_CAUSE(ERR_UNAVAILABLE, "file of a snapshot", errno);
}

struct err shelf_write(struct shelf *shelf, const char *name, FILE **ret_stream)
{
    char path[PATH_MAX];
    path_of(shelf, name, ".new", path);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (file < 0)
        return FAIL_CAUSE(ERR_UNAVAILABLE, "file of a snapshot", errno);
    struct err e = take(file, path, ret_stream);
    if (e.code != ERR_OK)
        close(file);
    return e;
}

struct err shelf_keep(struct shelf *shelf, const char *name, FILE *stream, bool whole)
{
    char from[PATH_MAX], to[PATH_MAX];
    path_of(shelf, name, ".new", from);
    path_of(shelf, name, "", to);
    errno = 0;
    bool good = whole && fflush(stream) == 0 && ferror(stream) == 0;
    bool mine = is_still(fileno(stream), from); /* or it was taken away, and may be another's now */
    good = good && mine && rename(from, to) == 0;
    int cause = errno;
    if (!good && mine)
        unlink(from);
    fclose(stream); /* and with it the lock */
    return good ? OK : FAIL_CAUSE(ERR_UNAVAILABLE, "snapshot not written", cause);
}

struct err shelf_read(struct shelf *shelf, const char *name, FILE **ret_stream)
{
    char path[PATH_MAX];
    path_of(shelf, name, "", path);
    *ret_stream = fopen(path, "re");
    if (*ret_stream)
        return OK;
    return errno == ENOENT ? FAIL(ERR_NOT_FOUND, "snapshot")
                           : FAIL_CAUSE(ERR_INVALID, "the file cannot be opened", errno);
}

void shelf_remove(struct shelf *shelf, const char *name)
{
    char path[PATH_MAX];
    path_of(shelf, name, "", path);
    unlink(path);
}
