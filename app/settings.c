/* The table of settings and where each value came from. */
#include "app/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/store.h"

enum { VALUE_MAX = 1024, ENV_MAX = 80, KAFKA_MAX = 32, KAFKA_NAME_MAX = 80 };
enum kind { KIND_TEXT, KIND_NUMBER, KIND_BOOLEAN, KIND_SECRET };

static const struct {
    const char *flag;
    const char *fallback;
    enum kind kind;
    const char *help;
} table[SETTINGS] = {
#define X(id, flag, fallback, kind, help) [SETTING_##id] = {flag, fallback, KIND_##kind, help},
    SETTING_MAP(X)
#undef X
};

static struct {
    char text[VALUE_MAX];
    const char *source; /* flag, environment, file, default */
} values[SETTINGS];

static void env_name(char out[ENV_MAX], const char *flag, const char *suffix)
{
    snprintf(out, ENV_MAX, "FOLDLOG_%s%s", flag, suffix);
    for (char *c = out; *c; c++)
        *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
}

static bool check(enum setting s, const char *value)
{
    char *end;
    if (table[s].kind == KIND_NUMBER) {
        errno = 0;
        long long n = strtoll(value, &end, 10);
        if (*value == '\0' || *end != '\0' || errno || n < 0) {
            fprintf(stderr, "foldlog: --%s must be a number, not \"%s\"\n", table[s].flag, value);
            return false;
        }
        if ((s == SETTING_PORT || s == SETTING_ADMIN_PORT) && n > UINT16_MAX) {
            fprintf(stderr, "foldlog: --%s must be a port, not %s\n", table[s].flag, value);
            return false;
        }
    }
    if (table[s].kind == KIND_BOOLEAN && strcmp(value, "true") != 0 &&
        strcmp(value, "false") != 0 && strcmp(value, "1") != 0 && strcmp(value, "0") != 0) {
        fprintf(stderr, "foldlog: --%s must be true or false, not \"%s\"\n", table[s].flag, value);
        return false;
    }
    return true;
}

static bool set(enum setting s, const char *value, const char *source)
{
    if (strlen(value) >= VALUE_MAX) {
        fprintf(stderr, "foldlog: --%s is too long\n", table[s].flag);
        return false;
    }
    if (!check(s, value))
        return false;
    snprintf(values[s].text, VALUE_MAX, "%s", value);
    values[s].source = source;
    return true;
}

static bool set_from_file(enum setting s, const char *path)
{
    char value[VALUE_MAX];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(value, 1, sizeof value - 1, f) : 0;
    if (f)
        fclose(f);
    if (!f) {
        fprintf(stderr, "foldlog: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    while (n > 0 && isspace((unsigned char)value[n - 1]))
        n--;
    value[n] = '\0';
    return set(s, value, "file");
}

static bool set_from_environment(enum setting s)
{
    char name[ENV_MAX];
    const char *value;
    env_name(name, table[s].flag, "");
    if ((value = getenv(name)) != NULL && *value)
        return set(s, value, "environment");
    env_name(name, table[s].flag, "_FILE");
    if ((value = getenv(name)) != NULL && *value)
        return set_from_file(s, value);
    return set(s, table[s].fallback, "default");
}

/* ---- handed on to librdkafka ---- */

static struct {
    char names[KAFKA_MAX][KAFKA_NAME_MAX], values[KAFKA_MAX][VALUE_MAX];
    const char *pairs[2 * KAFKA_MAX + 1], *sources[KAFKA_MAX];
    size_t count;
} kafka;

static const char kafka_flag[] = "--kafka.", kafka_env[] = "FOLDLOG_KAFKA__";

/* The last word counts: flags are taken after the environment. */
static bool set_kafka(const char *name, size_t len, const char *value, const char *source)
{
    size_t i = 0;
    while (i < kafka.count &&
           (strlen(kafka.names[i]) != len || memcmp(kafka.names[i], name, len) != 0))
        i++;
    if (i == KAFKA_MAX || len == 0 || len >= KAFKA_NAME_MAX || strlen(value) >= VALUE_MAX) {
        fprintf(stderr, "foldlog: too many kafka settings, or %.*s is too long\n", (int)len, name);
        return false;
    }
    snprintf(kafka.names[i], KAFKA_NAME_MAX, "%.*s", (int)len, name);
    snprintf(kafka.values[i], VALUE_MAX, "%s", value);
    kafka.pairs[2 * i] = kafka.names[i];
    kafka.pairs[2 * i + 1] = kafka.values[i];
    kafka.sources[i] = source;
    kafka.count += i == kafka.count;
    return true;
}

static bool take_kafka_flag(const char *arg)
{
    const char *name = arg + sizeof kafka_flag - 1, *equals = strchr(name, '=');
    if (equals)
        return set_kafka(name, (size_t)(equals - name), equals + 1, "flag");
    fprintf(stderr, "foldlog: %s needs =VALUE\n", arg);
    return false;
}

static bool read_kafka_environment(void)
{
    for (char **e = environ; *e; e++) {
        char name[KAFKA_NAME_MAX];
        const char *equals = strchr(*e, '=');
        if (!equals || strncmp(*e, kafka_env, sizeof kafka_env - 1) != 0)
            continue;
        size_t len = (size_t)(equals - *e) - (sizeof kafka_env - 1);
        for (size_t i = 0; i < len && i < sizeof name; i++) {
            char c = (*e)[sizeof kafka_env - 1 + i];
            name[i] = (char)(c == '_' ? '.' : tolower((unsigned char)c));
        }
        if (!set_kafka(name, len < sizeof name ? len : sizeof name, equals + 1, "environment"))
            return false;
    }
    return true;
}

const char *const *settings_kafka(void)
{
    return kafka.pairs;
}

/* ---- flags ---- */

static int find(const char *name, size_t len)
{
    for (int s = 0; s < SETTINGS; s++)
        if (strlen(table[s].flag) == len && memcmp(table[s].flag, name, len) == 0)
            return s;
    return -1;
}

/* Takes one flag; returns how many arguments it used, 0 when it is not a setting, -1 when it is
 * wrong. */
static int take_flag(int left, char **arg)
{
    if (strncmp(arg[0], kafka_flag, sizeof kafka_flag - 1) == 0)
        return take_kafka_flag(arg[0]) ? 1 : -1;
    const char *name = arg[0] + 2, *equals = strchr(name, '=');
    int s = find(name, equals ? (size_t)(equals - name) : strlen(name));
    if (s < 0)
        return 0;
    if (equals)
        return set((enum setting)s, equals + 1, "flag") ? 1 : -1;
    if (table[s].kind == KIND_BOOLEAN)
        return set((enum setting)s, "true", "flag") ? 1 : -1;
    if (left < 2) {
        fprintf(stderr, "foldlog: --%s needs a value\n", table[s].flag);
        return -1;
    }
    return set((enum setting)s, arg[1], "flag") ? 2 : -1;
}

/* What some settings say about others. */
static bool set_implied(void)
{
    if (setting_flag(SETTING_INSECURE_DEV) && !set(SETTING_DEV, "true", "--insecure-dev"))
        return false;
    return !setting_flag(SETTING_DEV) ||
           strcmp(values[SETTING_REPLICATION].source, "default") != 0 ||
           set(SETTING_REPLICATION, "1", "--dev");
}

int settings_read(int argc, char **argv)
{
    int kept = 0;
    for (enum setting s = 0; s < SETTINGS; s++)
        if (!set_from_environment(s))
            return -1;
    if (!read_kafka_environment())
        return -1;
    for (int i = 0; i < argc;) {
        int used = strncmp(argv[i], "--", 2) == 0 ? take_flag(argc - i, argv + i) : 0;
        if (used < 0)
            return -1;
        if (used == 0)
            argv[kept++] = argv[i];
        i += used ? used : 1;
    }
    return set_implied() ? kept : -1;
}

const char *setting_text(enum setting s)
{
    return values[s].text;
}

int64_t setting_number(enum setting s)
{
    return strtoll(values[s].text, NULL, 10);
}

bool setting_flag(enum setting s)
{
    return strcmp(values[s].text, "true") == 0 || strcmp(values[s].text, "1") == 0;
}

/* -1: there is none. */
static int own_database_setting(const char *service)
{
    char flag[ENV_MAX];
    int len = snprintf(flag, sizeof flag, "%s-pg", service);
    return find(flag, (size_t)len);
}

static const char *own_database(const char *service)
{
    int s = own_database_setting(service);
    return s < 0 ? NULL : values[s].text;
}

const char *settings_database_flag(const char *service)
{
    int s = own_database_setting(service);
    return table[s >= 0 && values[s].text[0] ? s : SETTING_PG].flag;
}

const struct databases *settings_databases(void)
{
    static const struct databases databases = {values[SETTING_PG].text, own_database};
    return &databases;
}

/* The next of a comma-separated list; false: there is none. */
static bool next_word(const char **at, struct text *word)
{
    *word = (struct text){*at, strcspn(*at, ",")};
    bool any = **at != '\0';
    *at += word->len + ((*at)[word->len] == ',');
    return any;
}

bool setting_has(enum setting s, const char *word)
{
    struct text one;
    for (const char *at = values[s].text; next_word(&at, &one);)
        if (text_is(one, word))
            return true;
    return false;
}

bool setting_all(enum setting s, bool (*is_known)(struct text word))
{
    struct text one;
    for (const char *at = values[s].text; next_word(&at, &one);)
        if (!is_known(one)) {
            fprintf(stderr, "foldlog: --%s: there is no \"%.*s\"\n", table[s].flag, (int)one.len,
                    one.at);
            return false;
        }
    return true;
}

static void show(bool json, bool first, const char *name, const char *value, const char *source)
{
    if (json)
        printf("%s{\"setting\":\"%s\",\"value\":\"%s\",\"source\":\"%s\"}", first ? "[" : ",", name,
               value, source);
    else
        printf("%-20s %-50s %s\n", name, value, source);
}

void settings_show(bool json)
{
    static const char hidden[] = "********";
    for (enum setting s = 0; s < SETTINGS; s++)
        show(json, s == 0, table[s].flag,
             table[s].kind == KIND_SECRET && values[s].text[0] ? hidden : values[s].text,
             values[s].source);
    for (size_t i = 0; i < kafka.count; i++) {
        char name[KAFKA_NAME_MAX + 8];
        bool secret = strstr(kafka.names[i], "password") || strstr(kafka.names[i], "secret") ||
                      strstr(kafka.names[i], ".pem") ||
                      strstr(kafka.names[i], "oauthbearer.config");
        snprintf(name, sizeof name, "kafka.%s", kafka.names[i]);
        show(json, false, name, secret ? hidden : kafka.values[i], kafka.sources[i]);
    }
    if (json)
        puts("]");
}

void settings_help(void)
{
    for (enum setting s = 0; s < SETTINGS; s++)
        printf("  --%-20s %s [%s]\n", table[s].flag, table[s].help,
               table[s].kind == KIND_SECRET ? "" : table[s].fallback);
}
