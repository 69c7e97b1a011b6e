/* Rows as PostgreSQL's binary arrays, COPY records and results, from the column table. */
#ifndef RUNTIME_PG_CODEC_H
#define RUNTIME_PG_CODEC_H

#include "core/projection.h"

struct pg_result;

/* Bytes that grow; out of memory stops the process. */
struct bytes {
    char *at;
    size_t len, room;
};
char *bytes_room(struct bytes *bytes, size_t more); /* where to write; then len += what was written
                                                     */
void bytes_print(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void bytes_free(struct bytes *bytes);

const char *pg_kind_name(enum column_kind kind); /* bigint */

/* One array parameter that holds one column of `count` rows. */
void pg_encode_array(struct bytes *out, const struct column *column, const void *const *rows,
                     size_t count);
/* COPY ... (FORMAT binary) */
void pg_encode_copy_header(struct bytes *out);
void pg_encode_copy_row(struct bytes *out, const struct projection *projection, const void *row);
void pg_encode_copy_trailer(struct bytes *out);
/* Row `nth` of a binary result whose columns are all of the projection's, in order. False: it does
 * not fit. */
bool pg_decode_row(const struct projection *projection, const struct pg_result *result, int nth,
                   void *row);

enum { PG_EPOCH_SECONDS = 946684800 }; /* 2000-01-01, where PostgreSQL's timestamps count from */

#endif
