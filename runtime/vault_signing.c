/* Keys that sign access tokens, sealed by the master key. */
#include "runtime/vault_internal.h"

#include <stdio.h>

static const char purpose[] = "signing key";

static struct err take(struct vault_link *link, const struct query_rows *rows, size_t row,
                       struct vault_signing_key *ret_key)
{
    struct text plain;
    if (!seal_open(vault_master(link->vault), (struct uuid){{0}}, purpose,
                   query_at(rows, row, 1)->text, &link->arena, &plain) ||
        plain.len >= sizeof ret_key->jwk)
        return FAIL(ERR_CONFIG, "the master key does not open the vault");
    ret_key->number = query_at(rows, row, 0)->number;
    ret_key->signs_from_us = query_at(rows, row, 2)->number;
    memcpy(ret_key->jwk, plain.at, plain.len);
    ret_key->jwk[plain.len] = '\0';
    return OK;
}

struct err vault_signing_keys(struct vault_link *link, struct vault_signing_keys *ret_keys)
{
    const struct query_value value = QUERY_NUMBER(VAULT_SIGNING_KEYS_MAX);
    struct query_rows rows;
    TRY(vault_run(link,
                  "SELECT number, sealed, signs_from FROM (SELECT * FROM signing_key"
                  " ORDER BY number DESC LIMIT $1) k ORDER BY number",
                  &value, 1, &rows));
    ret_keys->count = 0;
    for (size_t i = 0; i < rows.count; i++)
        TRY(take(link, &rows, i, &ret_keys->at[ret_keys->count++]));
    return OK;
}

struct err vault_signing_key_add(struct vault_link *link, const struct vault_signing_key *key)
{
    _Alignas(16) char memory[4 * VAULT_SIGNING_KEY_BYTES];
    struct arena arena = {memory, 0, sizeof memory};
    struct query_rows rows;
    struct text sealed = seal_close(vault_master(link->vault), (struct uuid){{0}}, purpose,
                                    text_of(key->jwk), &arena);
    if (!sealed.at)
        return FAIL(ERR_NOMEM, "signing key");
    const struct query_value values[] = {QUERY_NUMBER(key->number), QUERY_TEXT(sealed),
                                         QUERY_TIME(key->signs_from_us)};
    return vault_run(link,
                     "INSERT INTO signing_key (number, sealed, signs_from) VALUES ($1, $2, $3)"
                     " ON CONFLICT DO NOTHING",
                     values, COUNT(values), &rows);
}

struct err vault_signing_keys_drop(struct vault_link *link, int64_t number)
{
    const struct query_value value = QUERY_NUMBER(number);
    struct query_rows rows;
    return vault_run(link, "DELETE FROM signing_key WHERE number < $1", &value, 1, &rows);
}
