/* A query with a position waits until the read model says that it has reached it. */
#include "tests/sim/reads.h"

#include <stdio.h>
#include <stdlib.h>

#include "projections/projections.h"
#include "runtime/row.h"
#include "tests/sim/database.h"
#include "tests/sim/limits.h"

enum { WAIT_MS = 1500, STEP_MS = 20 };

struct seen { /* by one client, of one row */
    struct seen *next;
    int client, losses;
    const struct projection *projection;
    char key[64];
    int64_t version;
};

static struct seen *all_seen;

void reads_begin(void)
{
    all_seen = NULL;
}

static const struct column *column_named(const struct projection *projection, const char *name)
{
    for (size_t i = 0; i < projection->columns_count; i++)
        if (strcmp(projection->columns[i].name, name) == 0)
            return &projection->columns[i];
    return NULL;
}

static int64_t version_in(const struct projection *projection, const void *row)
{
    int64_t version;
    if (!row)
        return 0;
    memcpy(&version, row_at(column_named(projection, "version"), row), sizeof version);
    return version;
}

static struct seen *seen_by(int client, const struct projection *projection, const char *key)
{
    for (struct seen *s = all_seen; s; s = s->next)
        if (s->client == client && s->projection == projection && strcmp(s->key, key) == 0)
            return s;
    struct seen *s = world_alloc(sizeof *s);
    s->client = client;
    s->projection = projection;
    memcpy(s->key, key, strlen(key) < sizeof s->key ? strlen(key) : sizeof s->key - 1);
    s->next = all_seen;
    return all_seen = s;
}

/* A database that lost commits may show an older state of what no position was asked for. */
static void check_monotonic(const struct request *r, const struct projection *projection,
                            int64_t version)
{
    struct seen *s = seen_by(r->client, projection, r->target);
    int losses = database_losses(projection->service);
    if (s->losses == losses && version < s->version)
        violate("READ client %d saw version %lld of %s, then %lld", r->client,
                (long long)s->version, r->target, (long long)version);
    s->version = version;
    s->losses = losses;
}

static void read_own(const struct request *r, const struct projection *projection, const void *key)
{
    char topic[40];
    int64_t until = world.now + WAIT_MS * MS;
    if (!database_has(projection))
        return;
    snprintf(topic, sizeof topic, "%s.log", r->service);
    SOMETIMES(reads);
    while (database_commands_next(projection, topic, r->partition) <= r->command &&
           world.now < until)
        world_sleep(STEP_MS * MS);
    if (database_commands_next(projection, topic, r->partition) <= r->command) {
        SOMETIMES(reads_behind);
        limit_read(r);
        return;
    }
    int64_t version = version_in(projection, database_row(projection, key));
    if (version < r->version)
        violate("READ client %d wrote version %lld of %s and reads %lld at position %s:%d:%lld",
                r->client, (long long)r->version, r->target, (long long)version, r->service,
                r->partition, (long long)r->command);
    check_monotonic(r, projection, version);
}

void read_own_order(const struct request *r, struct uuid order)
{
    char key[4096] = {0};
    if (orders_projection.row_size > sizeof key)
        abort();
    memcpy(key + orders_projection.columns[0].offset, &order, sizeof order);
    read_own(r, &orders_projection, key);
}

void read_own_stock(const struct request *r, const char *sku)
{
    char key[1024] = {0};
    struct text name = text_of(sku);
    uint16_t len = (uint16_t)name.len;
    if (stock_projection.row_size > sizeof key)
        abort();
    memcpy(key + stock_projection.columns[0].offset, &len, sizeof len);
    memcpy(key + stock_projection.columns[0].offset + sizeof len, name.at, name.len);
    read_own(r, &stock_projection, key);
}
