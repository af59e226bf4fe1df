/*
 * robocopy.exe: copies folders. What a container cannot copy (access lists, owners) is said once; icacls sets the former.
 * A file that cannot be copied is tried again only as often as /R asks: a build shall fail, not wait for a year.
 */
#include "robocopy.h"

#include <stdlib.h>
#include <wchar.h>

#include "../message.h"
#include "wildcard.h"

enum { deepest = 128 };

struct tally {
    unsigned total, copied, skipped, mismatch, failed, extra;
};

struct job {
    struct request request;
    struct tally folders, files;
    unsigned outcome;
};

static ULONGLONG size_of(const WIN32_FIND_DATAW *file) {
    return (ULONGLONG)file->nFileSizeHigh << 32 | file->nFileSizeLow;
}

static bool is_folder(const WIN32_FIND_DATAW *file) {
    return (file->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

static void failed(struct job *job, struct tally *tally, const wchar_t *what, const wchar_t *path, DWORD error) {
    say(&job->request, L"ERROR %lu (0x%08lX) %ls %ls\n%ls\n\n", error, error, what, path, error_text(error));
    tally->failed++;
    job->outcome |= failed_some;
}

static void tell_file(const struct job *job, const wchar_t *class, const WIN32_FIND_DATAW *file, const wchar_t *path) {
    const struct request *request = &job->request;
    if (request->quiet_files) return;
    say(request, L"\t");
    if (!request->no_classes) say(request, L"%12ls\t\t", class);
    if (!request->no_sizes) say(request, L"%8I64u\t", size_of(file));
    say(request, L"%ls\n", path);
}

/* The folder's entries, ended by one without a name; release with free(). NULL when it cannot be read. */
static WIN32_FIND_DATAW *entries_of(const wchar_t *folder) {
    size_t room = 16, count = 0;
    wchar_t *all = joined(folder, L"*");
    WIN32_FIND_DATAW *entries = grown(NULL, room * sizeof *entries);
    HANDLE walk = FindFirstFileW(all, &entries[0]);
    free(all);
    if (walk == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();
        free(entries);
        SetLastError(error);
        return NULL;
    }
    do {
        if (is_dots(entries[count].cFileName)) continue;
        if (++count == room) entries = grown(entries, (room *= 2) * sizeof *entries);
    } while (FindNextFileW(walk, &entries[count]));
    FindClose(walk);
    entries[count].cFileName[0] = 0;
    return entries;
}

static bool find_one(const wchar_t *path, WIN32_FIND_DATAW *file) {
    HANDLE walk = FindFirstFileW(path, file);
    if (walk == INVALID_HANDLE_VALUE) return false;
    FindClose(walk);
    return true;
}

static void set_times(const wchar_t *path, const WIN32_FIND_DATAW *like, DWORD flags) {
    HANDLE file = CreateFileW(path, FILE_WRITE_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, flags, NULL);
    if (file == INVALID_HANDLE_VALUE) return;
    SetFileTime(file, &like->ftCreationTime, NULL, &like->ftLastWriteTime);
    CloseHandle(file);
}

static DWORD copy_once(const struct request *request, const wchar_t *from, const wchar_t *to, const WIN32_FIND_DATAW *file) {
    static const DWORD settable = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;
    /* A read-only file is overwritten like any other. */
    DWORD there = GetFileAttributesW(to);
    if (there != INVALID_FILE_ATTRIBUTES && (there & FILE_ATTRIBUTE_READONLY)) SetFileAttributesW(to, FILE_ATTRIBUTE_NORMAL);
    if (request->data && !CopyFileW(from, to, FALSE)) return GetLastError();
    SetFileAttributesW(to, FILE_ATTRIBUTE_NORMAL);
    if (request->times) set_times(to, file, 0);
    if (request->attributes && (file->dwFileAttributes & settable) && !SetFileAttributesW(to, file->dwFileAttributes & settable)) return GetLastError();
    return 0;
}

static bool remove_source(struct job *job, const wchar_t *path, const WIN32_FIND_DATAW *file) {
    if (file->dwFileAttributes & FILE_ATTRIBUTE_READONLY) SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
    if (DeleteFileW(path)) return true;
    failed(job, &job->files, L"Deleting Source File", path, GetLastError());
    return false;
}

/* NULL: the file stays as it is there. */
static const wchar_t *class_of(const struct request *request, const WIN32_FIND_DATAW *file, const WIN32_FIND_DATAW *there) {
    if (there == NULL) return request->without_lonely ? NULL : L"New File";
    LONG order = CompareFileTime(&file->ftLastWriteTime, &there->ftLastWriteTime);
    if (order > 0) return request->without_newer ? NULL : L"Newer";
    if (order < 0) return request->without_older ? NULL : L"Older";
    if (size_of(file) != size_of(there)) return request->without_changed ? NULL : L"Changed";
    return request->again ? L"Same" : NULL;
}

static void copy_file(struct job *job, const wchar_t *from, const wchar_t *to, const WIN32_FIND_DATAW *file) {
    const struct request *request = &job->request;
    WIN32_FIND_DATAW there;
    job->files.total++;
    bool exists = find_one(to, &there);
    if (exists && is_folder(&there)) {
        tell_file(job, L"*Mismatch", file, file->cFileName);
        job->files.mismatch++;
        job->outcome |= found_mismatches;
        return;
    }
    const wchar_t *class = class_of(request, file, exists ? &there : NULL);
    if (class == NULL) {
        if (request->verbose) tell_file(job, L"same", file, file->cFileName);
        job->files.skipped++;
        return;
    }
    tell_file(job, class, file, file->cFileName);
    if (!request->list_only) {
        DWORD error = copy_once(request, from, to, file);
        for (unsigned again = 0; error != 0 && again < request->retries; again++) {
            Sleep(request->wait_seconds * 1000);
            error = copy_once(request, from, to, file);
        }
        if (error != 0) {
            failed(job, &job->files, L"Copying File", from, error);
            return;
        }
        if (request->move_files && !remove_source(job, from, file)) return;
    }
    job->files.copied++;
    job->outcome |= copied_some;
}

/* A link goes alone, what it leads to stays: it may lead out of the target. */
static bool remove_extra(struct job *job, const wchar_t *path, const WIN32_FIND_DATAW *file, int depth) {
    if (file->dwFileAttributes & FILE_ATTRIBUTE_READONLY) SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
    bool fine = true;
    if (is_folder(file) && !is_link(path) && depth < deepest) {
        WIN32_FIND_DATAW *entries = entries_of(path);
        for (WIN32_FIND_DATAW *entry = entries; entry != NULL && entry->cFileName[0] != 0; entry++) {
            wchar_t *below = joined(path, entry->cFileName);
            fine = remove_extra(job, below, entry, depth + 1) && fine;
            free(below);
        }
        free(entries);
    }
    if (!fine) return false;
    if (is_folder(file) ? RemoveDirectoryW(path) : DeleteFileW(path)) return true;
    failed(job, is_folder(file) ? &job->folders : &job->files, L"Deleting Extra", path, GetLastError());
    return false;
}

/* What the target has and the source has not. Excluded names are no extras. */
static void look_for_extras(struct job *job, const wchar_t *source, const wchar_t *target) {
    const struct request *request = &job->request;
    WIN32_FIND_DATAW here, *entries = request->without_extras ? NULL : entries_of(target);
    for (WIN32_FIND_DATAW *entry = entries; entry != NULL && entry->cFileName[0] != 0; entry++) {
        wchar_t *from = joined(source, entry->cFileName), *to = joined(target, entry->cFileName);
        const struct names *without = is_folder(entry) ? &request->without_folders : &request->without_files;
        bool counts = is_folder(entry) ? request->below : is_among(&request->files, entry->cFileName, to);
        if (counts && !is_among(without, entry->cFileName, to) && !find_one(from, &here)) {
            if (is_folder(entry) ? !request->quiet_folders : !request->quiet_files)
                say(request, L"\t%12ls\t\t%ls\n", is_folder(entry) ? L"*EXTRA Dir" : L"*EXTRA File", to);
            (is_folder(entry) ? &job->folders : &job->files)->extra++;
            job->outcome |= found_extras;
            if (request->purge && !request->list_only) remove_extra(job, to, entry, 0);
        }
        free(from);
        free(to);
    }
    free(entries);
}

/* With the folders above it. */
static DWORD make_folder(const wchar_t *path) {
    if (CreateDirectoryW(path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS) return 0;
    DWORD error = GetLastError();
    wchar_t *above = copied(path), *last = wcsrchr(above, L'\\');
    if (error == ERROR_PATH_NOT_FOUND && last != NULL && last - above > 2) {
        *last = 0;
        error = make_folder(above);
        if (error == 0 && !CreateDirectoryW(path, NULL)) error = GetLastError();
    }
    free(above);
    return error;
}

static bool has_wanted(const struct job *job, const wchar_t *folder, const WIN32_FIND_DATAW *entries, int depth);

static bool is_wanted(const struct job *job, const wchar_t *path, const WIN32_FIND_DATAW *entry, int depth) {
    const struct request *request = &job->request;
    if (!is_folder(entry))
        return is_among(&request->files, entry->cFileName, path) && !is_among(&request->without_files, entry->cFileName, path);
    if (!request->below || (request->no_links && is_link(path)) || is_among(&request->without_folders, entry->cFileName, path)) return false;
    if (request->levels != 0 && (unsigned)depth + 1 >= request->levels) return false;
    if (request->empty_ones) return true;
    /* /S: only folders with something to copy in them or below. */
    WIN32_FIND_DATAW *entries = depth < deepest ? entries_of(path) : NULL;
    bool any = entries != NULL && has_wanted(job, path, entries, depth + 1);
    free(entries);
    return any;
}

static bool has_wanted(const struct job *job, const wchar_t *folder, const WIN32_FIND_DATAW *entries, int depth) {
    bool any = false;
    for (; !any && entries->cFileName[0] != 0; entries++) {
        wchar_t *path = joined(folder, entries->cFileName);
        any = is_wanted(job, path, entries, depth);
        free(path);
    }
    return any;
}

/* What is set only when nothing more is written into the target. */
static void finish_folder(const struct request *request, const wchar_t *source, const wchar_t *target, const WIN32_FIND_DATAW *like, bool existed) {
    static const DWORD settable = FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_READONLY;
    if (like != NULL && request->folder_times) set_times(target, like, FILE_FLAG_BACKUP_SEMANTICS);
    if (like != NULL && request->folder_attributes && !existed && (like->dwFileAttributes & settable))
        SetFileAttributesW(target, like->dwFileAttributes & settable);
    if (request->move_folders) RemoveDirectoryW(source); /* stays where something was left in it */
}

static void copy_folder(struct job *job, const wchar_t *source, const wchar_t *target, int depth) {
    const struct request *request = &job->request;
    WIN32_FIND_DATAW self, there;
    job->folders.total++;
    WIN32_FIND_DATAW *entries = depth > deepest ? NULL : entries_of(source);
    if (entries == NULL) {
        failed(job, &job->folders, L"Scanning Source Directory", source, depth > deepest ? ERROR_FILENAME_EXCED_RANGE : GetLastError());
        return;
    }
    bool exists = find_one(target, &there), known = find_one(source, &self);
    if (!request->quiet_folders) say(request, L"\t%12ls\t\t%ls\\\n", exists ? L"" : L"New Dir", source);
    if (exists && !is_folder(&there)) {
        job->folders.mismatch++;
        job->outcome |= found_mismatches;
        free(entries);
        return;
    }
    DWORD error = request->list_only ? 0 : make_folder(target);
    if (error != 0) {
        failed(job, &job->folders, L"Creating Destination Directory", target, error);
        free(entries);
        return;
    }
    if (exists) job->folders.skipped++;
    else job->folders.copied++;
    if (exists) look_for_extras(job, source, target);
    for (int pass = 0; pass < 2; pass++) {
        for (WIN32_FIND_DATAW *entry = entries; entry->cFileName[0] != 0; entry++) {
            wchar_t *from = joined(source, entry->cFileName), *to = joined(target, entry->cFileName);
            bool now = is_folder(entry) == (pass == 1) && is_wanted(job, from, entry, depth);
            if (now && is_folder(entry)) copy_folder(job, from, to, depth + 1);
            else if (now) copy_file(job, from, to, entry);
            free(from);
            free(to);
        }
    }
    free(entries);
    if (!request->list_only) finish_folder(request, source, target, depth > 0 && known ? &self : NULL, exists);
}

static void tell_summary(const struct job *job) {
    static const wchar_t row[] = L"%8ls :%10u%10u%10u%10u%10u%10u\n";
    const struct tally *d = &job->folders, *f = &job->files;
    say(&job->request, L"\n------------------------------------------------------------------------------\n\n"
                       L"               Total    Copied   Skipped  Mismatch    FAILED    Extras\n");
    say(&job->request, row, L"Dirs", d->total, d->copied, d->skipped, d->mismatch, d->failed, d->extra);
    say(&job->request, row, L"Files", f->total, f->copied, f->skipped, f->mismatch, f->failed, f->extra);
}

int wmain(int argc, wchar_t **argv) {
    static struct job job;
    struct request *request = &job.request;
    int unfit = read_request(request, argc, argv);
    if (unfit != 0) return unfit;
    if (!request->quiet_header)
        say(request, L"\n-------------------------------------------------------------------------------\n"
                     L"   ROBOCOPY     ::     Robust File Copy for Windows\n"
                     L"-------------------------------------------------------------------------------\n\n"
                     L"   Source : %ls\\\n     Dest : %ls\\\n\n    Files : %ls\n\n"
                     L"------------------------------------------------------------------------------\n\n",
            request->source, request->target, request->files.text[0]);
    if (request->security) say(request, L"NOTE : access lists, owners and auditing are not copied here; icacls and takeown set them.\n\n");
    DWORD attributes = GetFileAttributesW(request->source);
    if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
        DWORD error = attributes == INVALID_FILE_ATTRIBUTES ? GetLastError() : ERROR_DIRECTORY;
        failed(&job, &job.folders, L"Accessing Source Directory", request->source, error);
        return cannot_begin;
    }
    copy_folder(&job, request->source, request->target, 0);
    if (!request->quiet_summary) tell_summary(&job);
    if (request->log != NULL) fclose(request->log);
    return (int)job.outcome;
}
