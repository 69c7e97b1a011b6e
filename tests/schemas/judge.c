/* Reads lines "NAME<tab>JSON", NAME a message or another object of a schema. Answers for each
 * "1<tab>what the encoder makes of it" or "0<tab>pointer keyword<tab>pointer keyword...". */
#include <stdio.h>
#include <stdlib.h>

#include "schemas/common.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"
#include "schemas/product.h"
#include "schemas/provider.h"
#include "schemas/sample.h"

static const struct vocabulary *const vocabularies[] = {
    &fulfilment_commands, &fulfilment_events, &inventory_commands, &inventory_events,
    &order_commands,      &order_events,      &payment_commands,   &payment_events,
    &product_commands,    &product_events,    &sample_commands,    &sample_events};

static const struct object {
    const char *name;
    const struct json_shape *shape;
    double json_max;
} objects[] = {
#define OBJECT(name) {#name, &name##_shape, name##_json_max},
#include "tests/schemas/objects.h"
};

static _Alignas(16) char memory[1 << 22];
static _Alignas(16) char value[1 << 16];
static char written[1 << 22];

static struct object find(struct text name)
{
    for (size_t i = 0; i < COUNT(vocabularies); i++) {
        int tag = message_tag(vocabularies[i], name);
        if (tag) {
            const struct message_type *type = message_type(vocabularies[i], tag);
            return (struct object){type->name, type->shape, (double)type->json_max};
        }
    }
    for (size_t i = 0; i < COUNT(objects); i++)
        if (text_is(name, objects[i].name))
            return objects[i];
    fprintf(stderr, "judge: does not know %.*s\n", (int)name.len, name.at);
    exit(1);
}

static void answer(const struct object *object, struct text json)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct json_report report;
    struct json_out out = {written, 0, sizeof written};
    if (json_decode(object->shape, json, &arena, value, &report)) {
        if (!json_encode(object->shape, value, JSON_WHOLE, &out, &report) ||
            (double)out.used > object->json_max) {
            fprintf(stderr, "judge: %s is read, but not written\n", object->name);
            exit(1);
        }
        printf("1\t%.*s\n", (int)out.used, out.at);
        return;
    }
    putchar('0');
    for (uint32_t i = 0; i < report.count; i++)
        printf("\t%s %s", report.faults[i].pointer, report.faults[i].keyword);
    putchar('\n');
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    while ((len = getline(&line, &room, stdin)) > 0) {
        size_t name = strcspn(line, "\t");
        struct object object = find((struct text){line, name});
        answer(&object, (struct text){line + name + 1, (size_t)len - name - 2});
    }
    free(line);
    return 0;
}
