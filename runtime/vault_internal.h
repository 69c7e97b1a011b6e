/* What the vault*.c files share. */
#ifndef RUNTIME_VAULT_INTERNAL_H
#define RUNTIME_VAULT_INTERNAL_H

#include "runtime/query.h"
#include "runtime/vault.h"

struct vault_link {
    struct vault *vault;
    struct query_connection *connection;
    struct arena arena; /* emptied by each call */
};

const struct seal_key *vault_master(const struct vault *vault);
/* One statement; its rows live until the next. */
NODISCARD struct err vault_run(struct vault_link *link, const char *sql,
                               const struct query_value *values, size_t count,
                               struct query_rows *ret_rows);

#endif
