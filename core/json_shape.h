/* Reads and writes C structs as JSON, led by tables that schemac generates.
 *
 * A shape says how one schema lies in memory. json_decode parses and validates in
 * one pass, straight into the struct; json_encode validates again while writing,
 * so that nothing invalid is ever stored. */
#ifndef CORE_JSON_SHAPE_H
#define CORE_JSON_SHAPE_H

#include "core/json_scan.h"
#include "core/message.h"
#include "core/uuid.h"

enum { JSON_FAULTS_MAX = 8, JSON_POINTER_MAX = 128, JSON_DETAIL_MAX = 112, JSON_ALWAYS = 0xFFFF };

enum json_kind {
    SHAPE_OBJECT,
    SHAPE_ARRAY,   /* struct json_list */
    SHAPE_STRING,  /* struct text */
    SHAPE_INTEGER, /* int64_t */
    SHAPE_BOOLEAN, /* bool */
    SHAPE_ENUM,    /* enum counted from 1; 0 is "not set" and cannot be written */
    SHAPE_UUID,    /* struct uuid */
    SHAPE_INSTANT, /* int64_t, microseconds since 1970-01-01T00:00:00Z */
};

enum json_format { JSON_FORMAT_NONE, JSON_FORMAT_EMAIL };

/* The layout of every generated "struct { T *at; uint32_t count; }". */
struct json_list {
    void *at;
    uint32_t count;
};

/* One repeated character class of a pattern, such as [A-Z0-9]{1,8}. */
struct json_atom {
    uint64_t set[2]; /* which ASCII characters belong */
    uint32_t min;
    uint32_t max;
};

struct json_shape {
    enum json_kind kind;
    enum json_format format;
    uint16_t size;     /* of the C value */
    bool open;         /* object: unknown properties are skipped, not faults */
    uint16_t count;    /* of fields, names or atoms */
    uint64_t required; /* object: one bit per field */
    int64_t min, max;  /* integer: value; string: code points; array: items */
    const struct json_shape *item;
    const struct json_field *fields;
    const struct text *names; /* enum: wire text of value i + 1 */
    const uint16_t *slots;    /* enum: values by json_name_hash, 0 where none */
    uint16_t slots_mask;
    const struct json_atom *atoms; /* string: pattern */
};

struct json_field {
    const char *lead; /* ,"name": */
    uint16_t name_len;
    uint16_t offset;
    uint16_t has; /* offset of its bool has_..., or JSON_ALWAYS */
    bool personal;
    const struct json_shape *shape;
};

struct json_fault {
    const char *keyword; /* JSON Schema keyword, or "syntax" or "memory" */
    size_t offset;       /* byte in the input, after the value where one was read */
    char pointer[JSON_POINTER_MAX];
    char detail[JSON_DETAIL_MAX];
};

struct json_report {
    uint32_t count;
    struct json_fault faults[JSON_FAULTS_MAX];
};

/* Output bytes. When size is too small, used tells what would have been enough. */
struct json_out {
    char *at;
    size_t used;
    size_t size;
};

/* FNV-1a. schemac fills an enum's slots by it: open addressing, at most half full. */
static inline uint32_t json_name_hash(const char *name, size_t len)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619;
    return hash ^ hash >> 16;
}

enum json_privacy { JSON_WHOLE, JSON_REDACTED }; /* redacted: personal data left out, for logs */

/* Into *value, shape->size bytes. Text in it points into `json` or the arena: both must outlive it.
 * False: the report says why, in the order of the input, and *value is partly filled. */
bool json_decode(const struct json_shape *shape, struct text json, struct arena *arena, void *value,
                 struct json_report *report);
/* Appends to out. False: the report has the first fault, and what was appended is worth nothing. */
bool json_encode(const struct json_shape *shape, const void *value, enum json_privacy privacy,
                 struct json_out *out, struct json_report *report);
/* Reports that no message has this type; returns false. */
bool json_unknown_message(struct json_report *report);
#endif
