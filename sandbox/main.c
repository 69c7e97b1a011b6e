/* payment-sandbox: options, start, wait for a signal, stop. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/limits.h"
#include "sandbox/routes.h"
#include "sandbox/server.h"

enum { EXIT_USAGE = 2, WHY_SIZE = 256, BACKLOG = 512 };

struct options {
    const char *bind;
    const char *data;
    uint16_t port;
    bool has_port;
    bool sync;
    double fault_rate;
    uint64_t seed;
    uint32_t hang_ms;
};

static const char usage[] =
    "usage: payment-sandbox --port N [--data FILE] [--bind ADDRESS] [--sync]\n"
    "                       [--fault-rate P] [--seed S] [--hang-ms N]\n"
    "  --port N        port to serve on; 0 takes a free one\n"
    "  --data FILE     keep the ledger in FILE (default: in memory only)\n"
    "  --bind ADDRESS  IPv4 address to serve on (default: 127.0.0.1)\n"
    "  --sync          bring every entry to the disk before it is answered\n"
    "  --fault-rate P  with probability P answer 500 before, or drop the answer after, the effect\n"
    "  --seed S        start of the fault sequence (default: 1)\n"
    "  --hang-ms N     how long timeout-after-charge holds the connection (default: 30000)\n";

static bool read_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number > max)
        return false;
    *ret_number = number;
    return true;
}

static bool read_rate(const char *text, double *ret_rate)
{
    char *end;
    double rate = strtod(text, &end);
    if (end == text || *end != '\0' || isnan(rate) || rate < 0 || rate > 1)
        return false;
    *ret_rate = rate;
    return true;
}

static bool set_option(struct options *options, int option, const char *value)
{
    uint64_t number = 0;
    switch (option) {
    case 'p':
        if (!read_number(value, UINT16_MAX, &number))
            return false;
        options->port = (uint16_t)number;
        options->has_port = true;
        return true;
    case 'd':
        options->data = value;
        return *value != '\0';
    case 'b':
        options->bind = value;
        return true;
    case 'y':
        options->sync = true;
        return true;
    case 'f':
        return read_rate(value, &options->fault_rate);
    case 's':
        return read_number(value, UINT64_MAX, &options->seed);
    case 'g':
        if (!read_number(value, LIMIT_SLOW_MS, &number))
            return false;
        options->hang_ms = (uint32_t)number;
        return true;
    default: /* getopt's '?' */
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *ret_options)
{
    static const struct option names[] = {
        {"bind", required_argument, NULL, 'b'},
        {"data", required_argument, NULL, 'd'},
        {"fault-rate", required_argument, NULL, 'f'},
        {"hang-ms", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 's'},
        {"sync", no_argument, NULL, 'y'},
        {0},
    };
    int option, place = 0;
    while ((option = getopt_long(argc, argv, "", names, &place)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
        if (!set_option(ret_options, option, optarg)) {
            if (option != '?')
                fprintf(stderr, "payment-sandbox: --%s: bad value '%s'\n", names[place].name,
                        optarg);
            return false;
        }
    }
    if (optind < argc)
        fprintf(stderr, "payment-sandbox: '%s' is not understood\n", argv[optind]);
    else if (!ret_options->has_port)
        fputs("payment-sandbox: --port is missing\n", stderr);
    return optind == argc && ret_options->has_port;
}

/* A listening socket, or -1 after a message. Bound ourselves because MHD hides why it failed. */
static int bind_socket(const struct options *options, char *ret_where, size_t where_size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    socklen_t length = sizeof address;
    int on = 1;
    if (inet_pton(AF_INET, options->bind, &address.sin_addr) != 1) {
        fprintf(stderr, "sandbox: '%s' is not an IPv4 address\n", options->bind);
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        if (errno == EADDRINUSE)
            fprintf(stderr, "sandbox: port %u on %s is already taken; choose another --port\n",
                    options->port, options->bind);
        else
            fprintf(stderr, "sandbox: cannot listen on %s:%u: %s\n", options->bind, options->port,
                    strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    snprintf(ret_where, where_size, "%s:%u", options->bind, ntohs(address.sin_port));
    return fd;
}

static bool serve(const struct options *options, int listen_fd, const char *where,
                  struct ledger *ledger)
{
    char why[WHY_SIZE] = "";
    sigset_t ends;
    int signal_number = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before any thread, so that all inherit it */
    signal(SIGPIPE, SIG_IGN);

    struct routes routes = {.ledger = ledger, .hang_ms = options->hang_ms};
    fault_init(&routes.fault, options->fault_rate, options->seed);
    struct server *server = server_start(listen_fd, &routes, why, sizeof why);
    if (server) {
        if (!options->data)
            fputs("sandbox: no --data, the ledger is in memory only\n", stderr);
        fprintf(stderr, "sandbox: listening on %s\n", where);
        sigwait(&ends, &signal_number);
        server_stop(server);
        fputs("sandbox: stopped\n", stderr);
    } else {
        fprintf(stderr, "sandbox: %s\n", why);
    }
    fault_finish(&routes.fault);
    return server != NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.bind = "127.0.0.1", .seed = 1, .hang_ms = HANG_DEFAULT_MS};
    char where[INET_ADDRSTRLEN + 8];
    char why[WHY_SIZE] = "";
    if (!read_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    int listen_fd = bind_socket(&options, where, sizeof where);
    if (listen_fd < 0)
        return EXIT_FAILURE;
    struct ledger *ledger = ledger_open(options.data, options.sync, why, sizeof why);
    if (!ledger) {
        fprintf(stderr, "sandbox: %s: %s\n", options.data, why);
        close(listen_fd);
        return EXIT_FAILURE;
    }
    bool served = serve(&options, listen_fd, where, ledger);
    ledger_close(ledger);
    return served ? EXIT_SUCCESS : EXIT_FAILURE;
}
