/* A closed loop over N keep-alive connections: each sends POST /v1/orders with a fresh
 * Idempotency-Key as soon as its last answer is in. Prints one JSON object. Shares nothing with the
 * product.
 *
 *   load_http PORT CONNECTIONS SECONDS SKUS-PREFIX SKUS [ACCESS-TOKEN] */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 16384, LATENCIES_MAX = 4000000, STATUS_MAX = 600 };

struct connection {
    int fd;
    size_t used;
    double sent;
    char in[BUFFER];
};

static const char *prefix;
static char authorization[2048]; /* a header line, or nothing */
static int skus;
static uint64_t key_space, key_next;
static float *latencies;
static size_t latencies_count;
static long statuses[STATUS_MAX], answers; /* answers: with those of the warming up */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_order(struct connection *c)
{
    char body[600], request[3200];
    uint64_t n = key_next++;
    int body_len = snprintf(body, sizeof body,
                            "{\"items\":[{\"sku\":\"%s%llu\",\"quantity\":1}],\"payment_method\":"
                            "\"ok\",\"shipping_address\":"
                            "{\"name\":\"Ada Lovelace\",\"line1\":\"12 St James's "
                            "Square\",\"city\":\"London\",\"country\":\"GB\"}}",
                            prefix, (unsigned long long)(n % (unsigned)skus));
    int len = snprintf(
        request, sizeof request,
        "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "%sIdempotency-Key: b-%llx-%llx\r\nContent-Length: %d\r\n\r\n%s",
        authorization, (unsigned long long)key_space, (unsigned long long)n, body_len, body);
    c->sent = now();
    c->used = 0;
    if (write(c->fd, request, (size_t)len) != len)
        die("write");
}

/* Whole answer there? Its status, else 0. */
static int answered(struct connection *c)
{
    c->in[c->used] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return 0;
    char *length = strcasestr(c->in, "content-length:");
    size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
    if (c->used < (size_t)(end + 4 - c->in) + body)
        return 0;
    return atoi(c->in + 9);
}

static void take(struct connection *c)
{
    ssize_t n = read(c->fd, c->in + c->used, BUFFER - 1 - c->used);
    if (n <= 0)
        die("read");
    c->used += (size_t)n;
    int status = answered(c);
    if (!status)
        return;
    answers++;
    statuses[status < STATUS_MAX ? status : 0]++;
    if (latencies_count < LATENCIES_MAX)
        latencies[latencies_count++] = (float)(now() - c->sent);
    send_order(c);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(double p)
{
    return latencies_count ? 1e3 * (double)latencies[(size_t)(p * (double)(latencies_count - 1))]
                           : 0;
}

static void loop(int epoll, double seconds)
{
    struct epoll_event events[256];
    double until = now() + seconds;
    while (now() < until) {
        int n = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < n; i++)
            take(events[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: load_http PORT CONNECTIONS SECONDS PREFIX SKUS [TOKEN]\n");
        return 2;
    }
    int port = atoi(argv[1]), count = atoi(argv[2]), epoll = epoll_create1(0);
    double seconds = atof(argv[3]);
    prefix = argv[4];
    skus = atoi(argv[5]);
    if (argc == 7)
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s\r\n", argv[6]);
    key_space = (uint64_t)(now() * 1e6) ^ (uint64_t)getpid() << 40;
    latencies = malloc(LATENCIES_MAX * sizeof *latencies);
    struct connection *all = calloc((size_t)count, sizeof *all);
    for (int i = 0; i < count; i++) {
        all[i].fd = dial(port);
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd,
                  &(struct epoll_event){.events = EPOLLIN, .data.ptr = &all[i]});
        send_order(&all[i]);
    }
    loop(epoll, seconds / 4); /* warm */
    latencies_count = 0;
    memset(statuses, 0, sizeof statuses);
    double began = now();
    loop(epoll, seconds);
    double took = now() - began;
    qsort(latencies, latencies_count, sizeof *latencies, by_value);
    printf(
        "{\"connections\":%d,\"answers\":%ld,\"per_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
        "\"status\":{",
        count, answers, (double)latencies_count / took, percentile(0.5), percentile(0.99));
    for (int s = 0, first = 1; s < STATUS_MAX; s++)
        if (statuses[s]) {
            printf("%s\"%d\":%ld", first ? "" : ",", s, statuses[s]);
            first = 0;
        }
    printf("}}\n");
    free(all);
    free(latencies);
    return 0;
}
