/* The compiler's own words: a schema file, understood. It lives for one file, so it exits on the
 * first refusal and frees nothing. */
#ifndef TOOLS_SCHEMAC_H
#define TOOLS_SCHEMAC_H

#include <jansson.h>
#include <stdio.h>

#include "core/json_shape.h"

enum {
    TYPES_MAX = 1024,
    MEMBERS_MAX = 64, /* json_shape.required has one bit for each */
    ATOMS_MAX = 16,
    ENUM_VALUES_MAX = 16384, /* json_shape.slots_mask has 16 bits */
    C_NAME_MAX = 160,
    POINTER_MAX = 512
};

struct member {
    const char *name;
    char c_name[C_NAME_MAX];
    json_t *schema;
    bool personal;
    bool required;
    struct type *type;
};

/* One schema, understood. */
struct type {
    enum json_kind kind;
    enum json_format format;
    char name[C_NAME_MAX]; /* of its C declaration and tables */
    json_t *schema;        /* for its title and description; NULL in a property */
    bool open;
    bool personal; /* marked in its own definition */
    bool foreign;  /* of common.json: declared and defined there */
    unsigned nesting;
    int64_t min, max;
    struct type *item;
    struct member members[MEMBERS_MAX];
    size_t count; /* of members or atoms */
    json_t *names;
    struct json_atom atoms[ATOMS_MAX];
};

enum def_state { DEF_NEW, DEF_BUSY, DEF_DONE };

struct def {
    const char *name;
    json_t *schema;
    enum def_state state;
    struct type *type;
    const char *vocabulary; /* "command", "event" or NULL */
    bool foreign;           /* of common.json */
    bool used;              /* something refers to it */
};

/* Where a schema stands: not every keyword has an effect everywhere. */
enum place { AT_DEFINITION, AT_PROPERTY, AT_ITEMS };

struct pointer {
    char text[POINTER_MAX];
};

extern char service[C_NAME_MAX];      /* the file's base name: order */
extern bool lax;                      /* unbounded strings and arrays allowed */
extern json_t *documents[2];          /* the file and common.json: definitions point into them */
extern struct type *types[TYPES_MAX]; /* in the order C must see them */
extern size_t type_count;
extern struct def *defs;
extern size_t def_count;

/* schemac.c: says file:pointer: reason and ends the program. */
__attribute__((format(printf, 2, 3), noreturn)) void refuse(const char *pointer, const char *format,
                                                            ...);
struct pointer below(const char *pointer, const char *name);

/* names.c */
void make_identifier(char *to, size_t size, const char *from, size_t len, int (*letter_case)(int));
void make_upper(char *to, const char *from);
bool is_c_keyword(const char *name);
void join_name(char *to, const char *left, const char *right, const char *pointer);
void name_definition(char *to, const char *owner, const char *name, const char *pointer);
/* Takes a name of C's tags ("tag order_line") or ordinary names; refuses one that is taken. */
void claim_name(const char *name, const char *pointer);
/* order_event + "placed_v1" -> ORDER_EVENT_PLACED_V1, in C_NAME_MAX bytes, also claimed. */
void claim_constant(const char *prefix, const char *name, size_t len, const char *pointer);

/* keywords.c */
enum {
    ON_OBJECT = 1,
    ON_ARRAY = 2,
    ON_STRING = 4,
    ON_INTEGER = 8,
    ON_BOOLEAN = 16,
    ON_ENUM = 32,
    ON_TOKEN = 64, /* a uuid or a date-time */
    ON_REF = 128
};
void check_keywords(json_t *schema, unsigned on, enum place place, const char *pointer);
bool mark_of(json_t *schema, const char *keyword, const char *pointer);
int64_t whole_of(json_t *schema, const char *keyword, const char *pointer, int64_t otherwise);
int64_t limit_of(json_t *schema, const char *keyword, const char *pointer, int64_t otherwise);

/* pattern.c */
void compile_pattern(struct type *type, const char *text, const char *pointer);

/* definitions.c */
void collect_definitions(json_t *root, bool foreign);
void understand_definitions(void);
struct type *follow_ref(json_t *schema, enum place place, const char *pointer);
bool in_common(void);                          /* understanding a definition of common.json */
const char *short_name(const struct def *def); /* order.placed.v1 in order.json: placed_v1 */
bool speaks(const struct def *def, const char *vocabulary);
bool has_vocabulary(const char *vocabulary);

/* understand.c */
struct type *understand(json_t *schema, const char *name, enum place place, const char *pointer);

/* write_header.c, write_source.c */
void write_header(FILE *out);
void write_source(FILE *out);
const char *c_type(const struct type *type);
double json_max(const struct type *type); /* the most bytes encode can write for a value */

#endif
