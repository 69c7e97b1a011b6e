/* Reads the program's own notes. */
#include "runtime/build_id.h"

#include <link.h>
#include <string.h>

static size_t padded(uint32_t len)
{
    return (len + 3u) & ~(size_t)3;
}

static void find_in(const char *at, const char *end, struct build_id *id)
{
    ElfW(Nhdr) note;
    for (; at + sizeof note <= end;
         at += sizeof note + padded(note.n_namesz) + padded(note.n_descsz)) {
        memcpy(&note, at, sizeof note);
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof ELF_NOTE_GNU ||
            memcmp(at + sizeof note, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) != 0 ||
            note.n_descsz > BUILD_ID_MAX)
            continue;
        id->len = note.n_descsz;
        memcpy(id->bytes, at + sizeof note + padded(note.n_namesz), note.n_descsz);
        return;
    }
}

/* The first object is the program itself. */
static int look(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        const char *at = (const char *)(info->dlpi_addr + h->p_vaddr);
        if (h->p_type == PT_NOTE)
            find_in(at, at + h->p_memsz, context);
    }
    return 1;
}

struct build_id build_id(void)
{
    struct build_id id = {0};
    dl_iterate_phdr(look, &id);
    return id;
}
