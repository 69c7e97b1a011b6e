/* Append-only file of JSON lines with a header line, a lock and torn-tail repair. */
#include "sandbox/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/limits.h"
#include "sandbox/memory.h"

static const char header[] = "{\"journal\":\"payment-sandbox\",\"version\":1}\n";

struct journal {
    int fd;
    off_t length; /* of all whole lines */
    bool sync;
    bool broken;
};

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* A half-written line must not stay: the next append would glue itself to it. */
static bool append_line(struct journal *journal, const char *line, size_t size)
{
    if (journal->broken)
        return false;
    if (!write_all(journal->fd, line, size)) {
        journal->broken = ftruncate(journal->fd, journal->length) != 0;
        return false;
    }
    if (journal->sync && fdatasync(journal->fd) != 0) {
        journal->broken = true; /* what the disk holds is unknown after a failed sync */
        return false;
    }
    journal->length += (off_t)size;
    return true;
}

static bool replay_line(const char *line, size_t size, journal_replay *replay, void *context)
{
    json_t *entry = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    bool sound = json_is_object(entry) && replay(context, entry);
    json_decref(entry);
    return sound;
}

/* Could these bytes be the header we write, whole or torn? */
static bool is_header(const char *line, size_t size)
{
    return size <= sizeof header - 1 && memcmp(line, header, size) == 0;
}

static bool replay_file(struct journal *journal, FILE *file, journal_replay *replay, void *context,
                        char *ret_why, size_t why_size)
{
    char *line = NULL;
    size_t capacity = 0;
    bool sound = true;
    for (size_t number = 1; sound; number++) {
        ssize_t size = getline(&line, &capacity, file);
        if (size <= 0)
            break;
        bool whole = line[size - 1] == '\n';
        if (number == 1)
            sound = is_header(line, (size_t)size);
        else if (whole)
            sound = size <= LIMIT_JOURNAL_LINE_BYTES &&
                    replay_line(line, (size_t)size, replay, context);
        if (!sound)
            snprintf(ret_why, why_size, "line %zu is not a sound journal entry", number);
        else if (whole)
            journal->length += size;
    }
    if (sound && ferror(file)) {
        snprintf(ret_why, why_size, "%s", strerror(errno));
        sound = false;
    }
    free(line);
    return sound;
}

static bool load(struct journal *journal, journal_replay *replay, void *context, char *ret_why,
                 size_t why_size)
{
    struct stat status;
    if (flock(journal->fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(ret_why, why_size, "in use by another process");
        return false;
    }
    int copy = dup(journal->fd);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
    if (!file) {
        snprintf(ret_why, why_size, "%s", strerror(errno));
        if (copy >= 0)
            close(copy);
        return false;
    }
    bool sound = replay_file(journal, file, replay, context, ret_why, why_size);
    fclose(file);
    if (!sound)
        return false;
    if (fstat(journal->fd, &status) != 0 ||
        (status.st_size > journal->length && ftruncate(journal->fd, journal->length) != 0) ||
        (journal->length == 0 && !append_line(journal, header, sizeof header - 1))) {
        snprintf(ret_why, why_size, "%s", strerror(errno));
        return false;
    }
    if (status.st_size > journal->length)
        fprintf(stderr, "sandbox: cut off a torn last line of the journal\n");
    return true;
}

struct journal *journal_open(const char *path, bool sync, journal_replay *replay, void *context,
                             char *ret_why, size_t why_size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(ret_why, why_size, "%s", strerror(errno));
        return NULL;
    }
    struct journal *journal = memory_zeroed(sizeof *journal);
    *journal = (struct journal){.fd = fd, .sync = sync};
    if (!load(journal, replay, context, ret_why, why_size)) {
        journal_close(journal);
        return NULL;
    }
    return journal;
}

bool journal_append(struct journal *journal, const json_t *entry)
{
    char *line = memory_checked(json_dumps(entry, JSON_COMPACT));
    size_t size = strlen(line);
    line[size] = '\n'; /* the terminator's place: the line is written by length */
    bool appended = append_line(journal, line, size + 1);
    free(line);
    return appended;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    close(journal->fd);
    free(journal);
}
