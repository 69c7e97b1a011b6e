/* Ordinals by lock files. */
#include "app/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "app/settings.h"
#include "runtime/event_log.h"

enum { ORDINALS_MAX = 64 };

/* True: this ordinal is ours until the process ends (the descriptor stays open on purpose). */
static bool lock_ordinal(const char *host, int ordinal)
{
    char path[512];
    snprintf(path, sizeof path, "%s/foldlog-%s-%d.lock", setting_text(SETTING_LOCK_DIR), host,
             ordinal);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    close(fd);
    return false;
}

struct err instance_name(char *ret_name, unsigned size)
{
    char host[128] = "localhost";
    if (*setting_text(SETTING_INSTANCE)) {
        snprintf(ret_name, size, "%s", setting_text(SETTING_INSTANCE));
        return OK;
    }
    gethostname(host, sizeof host - 1);
    for (int ordinal = 0; ordinal < ORDINALS_MAX; ordinal++)
        if (lock_ordinal(host, ordinal)) {
            snprintf(ret_name, size, "%s-%d", host, ordinal);
            return OK;
        }
    return FAIL(ERR_CONFIG, "no free instance name: set FOLDLOG_INSTANCE");
}

struct err instance_log(const char *name, struct log **ret_log)
{
    return log_open(&(struct log_options){.brokers = setting_text(SETTING_KAFKA),
                                          .instance = name,
                                          .kafka_settings = settings_kafka()},
                    ret_log);
}
