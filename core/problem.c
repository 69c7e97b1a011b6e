#include "core/problem.h"

const struct problem_row problem_rows[PROBLEMS] = {
#define X(name, code, status, final, title) [PROBLEM_##name] = {code, status, final, title},
    PROBLEM_MAP(X)
#undef X
};

enum problem problem_find(struct text code)
{
    int i = 0;
    while (i < PROBLEMS && !text_is(code, problem_rows[i].code))
        i++;
    return (enum problem)i;
}
