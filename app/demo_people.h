/* The people of the demo: a merchant and a customer, who register, log in, and are given their
 * roles by the administrator of --admin-file. */
#ifndef APP_DEMO_PEOPLE_H
#define APP_DEMO_PEOPLE_H

#include "app/demo_http.h"

/* Each connection is its person's afterwards. run: makes their addresses this run's own. False:
 * said on stderr. */
bool demo_people_enter(struct demo_http *merchant, struct demo_http *customer, const char *run);

#endif
