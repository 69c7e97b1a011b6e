/* libcurl and jansson, one call at a time. */
#include "app/demo_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 320, BEARER_MAX = 2048 };

struct demo_http {
    CURL *curl;
    char base[DEMO_URL_MAX];
    char bearer[BEARER_MAX]; /* a header line; empty: nobody's */
    char error[CURL_ERROR_SIZE];
};

struct answer {
    char *at;
    size_t len;
};

struct demo_http *demo_http_open(const char *base)
{
    struct demo_http *http = calloc(1, sizeof *http);
    if (!http)
        return NULL;
    snprintf(http->base, sizeof http->base, "%s", base);
    size_t len = strlen(http->base);
    if (len > 0 && http->base[len - 1] == '/')
        http->base[len - 1] = '\0';
    http->curl = curl_easy_init();
    if (http->curl)
        return http;
    free(http);
    return NULL;
}

void demo_http_close(struct demo_http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    free(http);
}

const char *demo_http_base(const struct demo_http *http)
{
    return http->base;
}

bool demo_http_bear(struct demo_http *http, const char *token)
{
    int len = snprintf(http->bearer, sizeof http->bearer, "Authorization: Bearer %s", token);
    return len > 0 && (size_t)len < sizeof http->bearer;
}

static size_t take(char *at, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    size_t len = size * count;
    char *more = realloc(answer->at, answer->len + len + 1);
    if (!more)
        return 0;
    memcpy(more + answer->len, at, len);
    answer->at = more;
    answer->len += len;
    return len;
}

static struct curl_slist *headers(const struct demo_http *http, const char *key, bool body)
{
    char line[HEADER_MAX];
    struct curl_slist *list = curl_slist_append(NULL, "Accept: application/json");
    if (http->bearer[0])
        list = curl_slist_append(list, http->bearer);
    if (body)
        list = curl_slist_append(list, "Content-Type: application/json");
    if (key) {
        snprintf(line, sizeof line, "Idempotency-Key: %s", key);
        list = curl_slist_append(list, line);
    }
    return list;
}

static int perform(struct demo_http *http)
{
    long status = 0;
    http->error[0] = '\0';
    CURLcode code = curl_easy_perform(http->curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    else if (!http->error[0])
        snprintf(http->error, sizeof http->error, "%s", curl_easy_strerror(code));
    return (int)status;
}

int demo_http_call(struct demo_http *http, const char *method, const char *path, const char *key,
                   json_t *body, json_t **ret_body)
{
    char url[2 * DEMO_URL_MAX];
    struct answer answer = {0};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct curl_slist *list = headers(http, key, body != NULL);
    json_decref(body);
    snprintf(url, sizeof url, "%s%s", http->base, path);
    curl_easy_reset(http->curl);
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, list);
    if (text)
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, (long)DEMO_CALL_MS);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->error);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &answer);
    int status = perform(http);
    *ret_body = answer.len ? json_loadb(answer.at, answer.len, JSON_DECODE_ANY, NULL) : NULL;
    curl_slist_free_all(list);
    free(answer.at);
    free(text);
    return status;
}

json_t *demo_http_must(struct demo_http *http, const char *method, const char *path,
                       const char *key, json_t *body)
{
    json_t *answer;
    int status = demo_http_call(http, method, path, key, body, &answer);
    if (status >= 200 && status < 300 && answer)
        return answer;
    if (status == 0)
        fprintf(stderr, "foldlog demo: %s %s%s: %s\n", method, http->base, path, http->error);
    else
        fprintf(stderr, "foldlog demo: %s %s%s answered %d %s\n", method, http->base, path, status,
                answer ? json_string_value(json_object_get(answer, "detail")) : "");
    json_decref(answer);
    return NULL;
}
