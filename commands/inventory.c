/* The stock of one product: what is free to sell, promised to open orders, and sold. Key: the SKU.
 * received + adjusted == on_hand + reserved + committed, always. */
#include <assert.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "commands/reservations.h"
#include "commands/rights.h"
#include "core/mutant.h"
#include "schemas/inventory.h"

static const int64_t stock_max = 1000000000000000;

struct inventory {
    int64_t on_hand;
    int64_t reserved;
    int64_t committed;
    int64_t received;
    int64_t adjusted;
    struct reservations open;
};

static void refuse_foreign(struct draft *draft)
{
    draft_refuse(draft, PROBLEM_NOT_FOUND, "There is no such product of yours.");
}

static void receive(const struct inventory *stock, const struct context *context,
                    const struct inventory_receive_v1 *command, struct draft *draft)
{
    if (!may_as_merchant(context, command->merchant_id)) {
        refuse_foreign(draft);
        return;
    }
    if (stock->received > stock_max - command->quantity ||
        stock->on_hand > stock_max - command->quantity) {
        draft_refuse(draft, PROBLEM_LIMIT_EXCEEDED, "So much stock of one product cannot be kept.");
        return;
    }
    EMIT(draft, inventory_event, .tag = INVENTORY_EVENT_RECEIVED_V1,
         .as.received_v1 = {.sku = command->sku, .quantity = command->quantity});
}

static void adjust(const struct inventory *stock, const struct context *context,
                   const struct inventory_adjust_v1 *command, struct draft *draft)
{
    int64_t change = command->quantity_change;
    if (!may_as_merchant(context, command->merchant_id)) {
        refuse_foreign(draft);
        return;
    }
    if (change == 0) {
        draft_refuse(draft, PROBLEM_INVALID, "An adjustment by 0 adjusts nothing.");
        draft->pointer = "/quantity_change";
        return;
    }
    if (stock->on_hand + change < 0) {
        draft_refuse(draft, PROBLEM_STOCK_TOO_LOW, "Less is on hand than would be taken away.");
        return;
    }
    if (stock->on_hand + change > stock_max || stock->adjusted + change > stock_max ||
        stock->adjusted + change < -stock_max) {
        draft_refuse(draft, PROBLEM_LIMIT_EXCEEDED, "So much stock of one product cannot be kept.");
        return;
    }
    EMIT(draft, inventory_event, .tag = INVENTORY_EVENT_ADJUSTED_V1,
         .as.adjusted_v1 = {
             .sku = command->sku,
             .quantity_change = change,
             .reason = command->reason,
         });
}

static void reserve(const struct inventory *stock, const struct inventory_reserve_v1 *command,
                    struct draft *draft)
{
    if (reservations_find(&stock->open, command->order_id, command->line) > 0)
        return;
    if (command->quantity > stock->on_hand + MUTANT(oversell)) {
        EMIT(draft, inventory_event, .tag = INVENTORY_EVENT_REJECTED_V1,
             .as.rejected_v1 = {
                 .sku = command->sku,
                 .order_id = command->order_id,
                 .line = command->line,
                 .quantity = command->quantity,
                 .on_hand = stock->on_hand,
             });
        return;
    }
    EMIT(draft, inventory_event, .tag = INVENTORY_EVENT_RESERVED_V1,
         .as.reserved_v1 = {
             .sku = command->sku,
             .order_id = command->order_id,
             .line = command->line,
             .quantity = command->quantity,
         });
}

static void release(const struct inventory *stock, const struct inventory_release_v1 *command,
                    struct draft *draft)
{
    int64_t quantity = reservations_find(&stock->open, command->order_id, command->line);
    if (quantity == 0)
        return;
    EMIT(draft, inventory_event, .tag = INVENTORY_EVENT_RELEASED_V1,
         .as.released_v1 = {
             .sku = command->sku,
             .order_id = command->order_id,
             .line = command->line,
             .quantity = quantity,
         });
}

static void commit(const struct inventory *stock, const struct inventory_commit_v1 *command,
                   struct draft *draft)
{
    int64_t quantity = reservations_find(&stock->open, command->order_id, command->line);
    if (quantity == 0)
        return;
    EMIT(draft, inventory_event, .tag = INVENTORY_EVENT_COMMITTED_V1,
         .as.committed_v1 = {
             .sku = command->sku,
             .order_id = command->order_id,
             .line = command->line,
             .quantity = quantity,
         });
}

static void restock(const struct inventory *stock, const struct inventory_restock_v1 *command,
                    struct draft *draft)
{
    if (command->quantity > stock->committed) {
        draft_refuse(draft, PROBLEM_WRONG_STATE, "So much has not been sold.");
        return;
    }
    EMIT(draft, inventory_event, .tag = INVENTORY_EVENT_RESTOCKED_V1,
         .as.restocked_v1 = {
             .sku = command->sku,
             .order_id = command->order_id,
             .line = command->line,
             .quantity = command->quantity,
         });
}

/* False: refused. */
static bool asked_by_saga(const struct context *context, struct draft *draft)
{
    if (may_as_system(context))
        return true;
    draft_refuse(draft, PROBLEM_FORBIDDEN, "Only fulfilment does this.");
    return false;
}

static void inventory_decide(const void *state, const struct context *context, const void *command,
                             struct draft *draft)
{
    const struct inventory_command *c = command;
    switch (c->tag) {
    case INVENTORY_COMMAND_RECEIVE_V1:
        receive(state, context, &c->as.receive_v1, draft);
        break;
    case INVENTORY_COMMAND_ADJUST_V1:
        adjust(state, context, &c->as.adjust_v1, draft);
        break;
    case INVENTORY_COMMAND_RESERVE_V1:
        if (asked_by_saga(context, draft))
            reserve(state, &c->as.reserve_v1, draft);
        break;
    case INVENTORY_COMMAND_RELEASE_V1:
        if (asked_by_saga(context, draft))
            release(state, &c->as.release_v1, draft);
        break;
    case INVENTORY_COMMAND_COMMIT_V1:
        if (asked_by_saga(context, draft))
            commit(state, &c->as.commit_v1, draft);
        break;
    case INVENTORY_COMMAND_RESTOCK_V1:
        if (asked_by_saga(context, draft))
            restock(state, &c->as.restock_v1, draft);
        break;
    }
}

static void inventory_evolve(void *state, const void *event)
{
    struct inventory *stock = state;
    const struct inventory_event *e = event;
    switch (e->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        stock->received += e->as.received_v1.quantity;
        stock->on_hand += e->as.received_v1.quantity;
        break;
    case INVENTORY_EVENT_ADJUSTED_V1:
        stock->adjusted += e->as.adjusted_v1.quantity_change;
        stock->on_hand += e->as.adjusted_v1.quantity_change;
        break;
    case INVENTORY_EVENT_RESERVED_V1:
        stock->on_hand -= e->as.reserved_v1.quantity;
        stock->reserved += e->as.reserved_v1.quantity;
        reservations_open(&stock->open, e->as.reserved_v1.order_id, e->as.reserved_v1.line,
                          e->as.reserved_v1.quantity);
        break;
    case INVENTORY_EVENT_REJECTED_V1:
        break;
    case INVENTORY_EVENT_RELEASED_V1:
        stock->reserved -= e->as.released_v1.quantity;
        stock->on_hand += e->as.released_v1.quantity;
        reservations_close(&stock->open, e->as.released_v1.order_id, e->as.released_v1.line);
        break;
    case INVENTORY_EVENT_COMMITTED_V1:
        stock->reserved -= e->as.committed_v1.quantity;
        stock->committed += e->as.committed_v1.quantity;
        reservations_close(&stock->open, e->as.committed_v1.order_id, e->as.committed_v1.line);
        break;
    case INVENTORY_EVENT_RESTOCKED_V1:
        stock->committed -= e->as.restocked_v1.quantity;
        stock->on_hand += e->as.restocked_v1.quantity;
        break;
    }
}

static const struct owned inventory_owned[] = {
    OWNED(struct inventory, open.slots, open.size),
    OWNED_END,
};

static void inventory_show(const void *state, struct json_write *out)
{
    const struct inventory *stock = state;
    json_write_number(out, "on_hand", stock->on_hand);
    json_write_number(out, "reserved", stock->reserved);
    json_write_number(out, "committed", stock->committed);
    json_write_number(out, "received", stock->received);
    json_write_number(out, "adjusted", stock->adjusted);
    json_write_number(out, "open_reservations", stock->open.count);
}

const struct aggregate inventory_aggregate = {
    .service = "inventory",
    .commands = &inventory_commands,
    .events = &inventory_events,
    .state_size = sizeof(struct inventory),
    .decide = inventory_decide,
    .evolve = inventory_evolve,
    .owned = inventory_owned,
    .show = inventory_show,
};
