/* The lists of everything in the house. To add an aggregate, a saga or a read model: one line in house.c. */
#ifndef APP_HOUSE_H
#define APP_HOUSE_H

#include "core/service.h"

extern const struct service_list house_services;

#endif
