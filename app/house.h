/* The lists of everything in the house. To add an aggregate, a saga or a read model: one line in
 * house.c. */
#ifndef APP_HOUSE_H
#define APP_HOUSE_H

#include "core/service.h"
#include "runtime/feed.h"

extern const struct service_list house_services;
extern const struct vocabulary_list house_vocabularies; /* of the events of the same services */

#endif
