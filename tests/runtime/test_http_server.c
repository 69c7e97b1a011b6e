/* Clients who do not wait for their answer. */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/http_server.h"
#include "tests/runtime/run_suite.h"

enum { WAIT_MS = 5000, STEP_US = 2000 };

static _Atomic(struct http_request *) held;

static void hold(void *context, struct http_request *request)
{
    (void)context;
    atomic_store(&held, request);
}

static struct http_server *start(void)
{
    struct http_server *server;
    struct err e = http_server_start(&(struct http_server_options){.address = "127.0.0.1",
                                                                   .threads = 1,
                                                                   .connections_max = 16,
                                                                   .body_max = 1024,
                                                                   .handle = hold},
                                     &server);
    ck_assert_int_eq(e.code, ERR_OK);
    return server;
}

static int ask(const struct http_server *server)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(write(fd, request, sizeof request - 1), sizeof request - 1);
    return fd;
}

static struct http_request *handed_over(void)
{
    int64_t until = clock_monotonic_ms() + WAIT_MS;
    while (!atomic_load(&held) && clock_monotonic_ms() < until)
        usleep(STEP_US);
    ck_assert_ptr_nonnull(atomic_load(&held));
    return atomic_exchange(&held, NULL);
}

/* The connection is reset, not only closed. */
static void hang_up(int fd)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void answer(struct http_request *request)
{
    http_respond(request, &(struct http_answer){.status = 200});
}

START_TEST(a_client_that_hung_up_before_its_answer_does_not_count_as_waiting)
{
    struct http_server *server = start();
    int fd = ask(server);
    struct http_request *request = handed_over();
    hang_up(fd);
    answer(request);
    ck_assert_int_eq(http_server_drain(server, WAIT_MS).code, ERR_OK);
    http_server_stop(server);
}
END_TEST

START_TEST(a_request_in_the_hands_of_the_handler_is_waited_for)
{
    struct http_server *server = start();
    int fd = ask(server);
    struct http_request *request = handed_over();
    ck_assert_int_eq(http_server_drain(server, 100).code, ERR_TIMEOUT);
    answer(request);
    ck_assert_int_eq(http_server_drain(server, WAIT_MS).code, ERR_OK);
    close(fd);
    http_server_stop(server);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_client_that_hung_up_before_its_answer_does_not_count_as_waiting,
                                  a_request_in_the_hands_of_the_handler_is_waited_for};
    return run_suite("http_server", tests, COUNT(tests));
}
