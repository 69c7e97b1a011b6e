/* foldlog health: asks /readyz of the process on this machine. */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/settings.h"
#include "app/verbs.h"

enum { ANSWER_MAX = 4096, TIMEOUT_S = 3 };

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)setting_number(SETTING_ADMIN_PORT)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Reads the answer to its end; 0 when it was cut. */
static size_t ask(int fd, char *answer)
{
    static const char request[] = "GET /readyz?verbose HTTP/1.0\r\nHost: localhost\r\n\r\n";
    size_t used = 0;
    ssize_t n = write(fd, request, sizeof request - 1);
    while (n > 0 && used < ANSWER_MAX - 1) {
        n = read(fd, answer + used, ANSWER_MAX - 1 - used);
        used += n > 0 ? (size_t)n : 0;
    }
    answer[used] = '\0';
    return n == 0 ? used : 0;
}

/* {"ready":true,"parts":["ready     commands order: ...", ...]}: the page's lines but the last. */
static void print_json(const char *body, bool ready)
{
    json_t *parts = json_array(), *page = json_pack("{sbso}", "ready", ready, "parts", parts);
    for (const char *end; (end = strchr(body, '\n')) && end[1]; body = end + 1)
        json_array_append_new(parts, json_stringn(body, (size_t)(end - body)));
    json_dumpf(page, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(page);
}

int verb_health(int argc, char **argv, const struct verb_options *options)
{
    char answer[ANSWER_MAX];
    (void)argv;
    if (argc != 0)
        return verb_usage("health");
    int fd = dial();
    size_t len = fd >= 0 ? ask(fd, answer) : 0;
    if (fd >= 0)
        close(fd);
    if (len == 0) {
        fprintf(stderr, "foldlog: nothing answers on 127.0.0.1:%s\n",
                setting_text(SETTING_ADMIN_PORT));
        return EXIT_UNAVAILABLE;
    }
    bool ready = strncmp(answer + sizeof "HTTP/1.x" - 1, " 200", 4) == 0;
    const char *body = strstr(answer, "\r\n\r\n");
    body = body ? body + 4 : "";
    if (options->json)
        print_json(body, ready);
    else
        printf("%s", body);
    return ready ? EXIT_OK : EXIT_FAILED;
}
