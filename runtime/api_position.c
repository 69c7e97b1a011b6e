/* Foldlog-Min-Position: a client that has written something may ask for read models that know of
 * it. */
#include "runtime/api_internal.h"

static bool folds(const struct projection *model, struct text service)
{
    for (const char *const *source = model->sources; *source; source++)
        if (text_is(service, *source))
            return true;
    return false;
}

static const struct projection *model_of(const struct api *api, const char *service,
                                         const char *name)
{
    for (size_t i = 0; i < api->options.projections_count; i++)
        if (strcmp(api->options.projections[i]->service, service) == 0 &&
            strcmp(api->options.projections[i]->name, name) == 0)
            return api->options.projections[i];
    return NULL;
}

static enum problem behind(enum model_status status, bool *ret_wait)
{
    *ret_wait = status != MODEL_HALTED;
    switch (status) {
    case MODEL_LIVE:
        return PROBLEM_READ_MODEL_BEHIND;
    case MODEL_REBUILDING:
    case MODEL_MISSING:
        return PROBLEM_READ_MODEL_REBUILDING;
    case MODEL_HALTED:
        return PROBLEM_READ_MODEL_HALTED;
    }
    return PROBLEM_INTERNAL;
}

/* The positions of services whose logs the model does not fold are none of its business. */
static enum problem model_reached(const struct api_call *call, struct api_reader *reader,
                                  const struct projection *model, bool *ret_wait)
{
    for (size_t i = 0; i < call->positions_count; i++) {
        const struct api_position *position = &call->positions[i];
        enum model_status status = MODEL_LIVE;
        int64_t next = 0;
        if (!folds(model, position->service))
            continue;
        struct err e = reader_position(reader, model, position, &next, &status);
        if (e.code == ERR_NOT_FOUND)
            return behind(MODEL_MISSING, ret_wait);
        if (e.code != ERR_OK)
            return reader_problem(e);
        if (status == MODEL_MISSING || status == MODEL_REBUILDING || next <= position->offset)
            return behind(status, ret_wait);
    }
    return PROBLEM_NONE;
}

enum problem positions_reached(struct api_call *call, struct api_reader *reader, bool *ret_wait)
{
    const struct route *route = call->route;
    const char *const catalogue[] = {
        route->command && route->command->catalogue ? route->command->catalogue->model : NULL,
        NULL};
    const char *const *models = route->query ? route->query->models : catalogue;
    *ret_wait = false;
    if (call->positions_count == 0 || !models)
        return PROBLEM_NONE;
    for (; *models; models++) {
        const struct projection *model = model_of(call->api, call->service->service->name, *models);
        enum problem problem =
            model ? model_reached(call, reader, model, ret_wait) : PROBLEM_INTERNAL;
        if (problem != PROBLEM_NONE)
            return problem;
    }
    return PROBLEM_NONE;
}
