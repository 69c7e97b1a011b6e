/* Runs this very binary: foldlog projections ... */
#include "app/demo_rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/demo_screen.h"
#include "app/settings.h"

enum { OUTPUT_MAX = 64 * 1024, CATCH_UP_TRIES = 60, CATCH_UP_MS = 50 };

static const char model[] = "orders";

/* In the child: what flags changed here must hold there too. */
static void pass_settings(void)
{
    setenv("FOLDLOG_KAFKA", setting_text(SETTING_KAFKA), 1);
    setenv("FOLDLOG_PG", setting_text(SETTING_PG), 1);
    setenv("FOLDLOG_DEV", setting_text(SETTING_DEV), 1);
}

/* foldlog projections VERB FIRST SECOND; unused words are NULL. */
struct line {
    const char *verb, *first, *second;
};

/* stdout goes to `out`; -1: where ours goes. */
static pid_t start(struct line line, int out)
{
    fflush(stdout);
    pid_t child = fork();
    if (child != 0)
        return child;
    pass_settings();
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    execl("/proc/self/exe", "foldlog", "projections", line.verb, line.first, line.second, NULL);
    _exit(127);
}

static bool finish(pid_t child, struct line line)
{
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    fprintf(stderr, "foldlog demo: foldlog projections %s failed (%d)\n", line.verb,
            WIFEXITED(status) ? WEXITSTATUS(status) : status);
    return false;
}

static size_t read_all(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t n;
    while (len < size && (n = read(fd, out + len, size - len)) != 0)
        if (n > 0)
            len += (size_t)n;
        else if (errno != EINTR)
            break;
    return len;
}

static json_t *ask(struct line line)
{
    static char output[OUTPUT_MAX];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    pid_t child = start(line, ends[1]);
    close(ends[1]);
    size_t len = read_all(ends[0], output, sizeof output);
    close(ends[0]);
    return finish(child, line) ? json_loadb(output, len, 0, NULL) : NULL;
}

static bool say(struct line line, bool silent)
{
    int nowhere = silent ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    pid_t child = start(line, nowhere);
    if (nowhere >= 0)
        close(nowhere);
    return finish(child, line);
}

/* All rows, read anew. */
static bool look(struct demo_model *ret_model)
{
    json_t *told = ask((struct line){"digest", model, "--json"});
    const char *digest = json_string_value(json_object_get(told, "digest"));
    if (digest)
        snprintf(ret_model->digest, sizeof ret_model->digest, "%s", digest);
    ret_model->rows = json_integer_value(json_object_get(told, "rows"));
    json_decref(told);
    return ret_model->digest[0] != '\0';
}

/* A read model of two logs may show how an order ended before it has read all that led to it: what
 * it has not read yet would come between the two looks. */
static void await_rest(void)
{
    static const struct timespec pause = {.tv_nsec = CATCH_UP_MS * 1000000L};
    for (int i = 0; i < CATCH_UP_TRIES; i++) {
        json_t *told = ask((struct line){"list", model, "--json"});
        bool all = told && json_integer_value(json_object_get(told, "lag")) == 0;
        json_decref(told);
        if (all)
            return;
        nanosleep(&pause, NULL);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool demo_rebuild(bool silent, struct demo_rebuild *ret_rebuild)
{
    *ret_rebuild = (struct demo_rebuild){0};
    await_rest();
    if (!look(&ret_rebuild->before) || !say((struct line){"drop", model, "--yes"}, true))
        return false;
    double began = seconds();
    if (!say((struct line){"rebuild", model, "--yes"}, silent))
        return false;
    ret_rebuild->seconds = seconds() - began;
    if (!look(&ret_rebuild->after))
        return false;
    ret_rebuild->same = ret_rebuild->before.rows == ret_rebuild->after.rows &&
                        strcmp(ret_rebuild->before.digest, ret_rebuild->after.digest) == 0;
    return true;
}

void demo_rebuild_show(const struct demo_rebuild *rebuild)
{
    const struct demo_model *before = &rebuild->before, *after = &rebuild->after;
    demo_print(INK_PLAIN, "  before  %8lld rows  digest %s\n", (long long)before->rows,
               before->digest);
    demo_print(INK_PLAIN, "  after   %8lld rows  digest %s", (long long)after->rows, after->digest);
    demo_print(rebuild->same ? INK_GOOD : INK_BAD,
               rebuild->same ? "   ✓ equal\n" : "   ✗ different\n");
}
