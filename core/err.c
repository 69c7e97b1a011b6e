#include "core/err.h"

static const struct {
    enum err_class class;
    const char *text;
} table[ERR_CODES] = {
#define X(code, class, text) [code] = {ERR_CLASS_##class, text},
    ERR_MAP(X)
#undef X
};

enum err_class err_class(struct err e)
{
    return table[e.code].class;
}

bool err_is_final(struct err e)
{
    return err_class(e) == ERR_CLASS_HALT || err_class(e) == ERR_CLASS_FATAL;
}

const char *err_text(struct err e)
{
    return table[e.code].text;
}
