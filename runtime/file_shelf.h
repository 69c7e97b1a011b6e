/* A shelf that is a folder of files. */
#ifndef RUNTIME_FILE_SHELF_H
#define RUNTIME_FILE_SHELF_H

#include "runtime/shelf.h"

/* Makes the folder, for this user alone, if it is not there. Processes may share it. ERR_CONFIG: it
 * is not a folder that can be written to. */
NODISCARD struct err shelf_open(const char *folder, struct shelf **ret_shelf);
void shelf_close(struct shelf *shelf);

#endif
