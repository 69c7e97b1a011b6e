/* The durable side of the ledger: one JSON object per line, appended and never changed. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct journal;

/* Given every entry once, in file order, while the journal opens. False: it makes no sense. */
typedef bool journal_replay(void *context, const json_t *entry);

/*
 * Opens or creates the file, takes an exclusive lock on it, and replays it. A last line without
 * its end was never answered and is cut off; any other damage refuses. With `sync` every append
 * reaches the disk, else the operating system (which survives a killed process, not a power cut).
 * NULL on failure with a message for people in `ret_why`. Blocks on disk.
 */
struct journal *journal_open(const char *path, bool sync, journal_replay *replay, void *context,
                             char *ret_why, size_t why_size);

/*
 * Appends one entry. False: nothing was written, or the journal is broken and stays so (every
 * later append fails too). Not thread-safe: the ledger's lock covers it. Blocks on disk.
 */
bool journal_append(struct journal *journal, const json_t *entry);

/* Takes NULL. */
void journal_close(struct journal *journal);
