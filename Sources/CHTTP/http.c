// HTTP through libcurl, which is loaded when it is first needed: nothing to link, nothing loaded by other commands.

#define _GNU_SOURCE  // strptime, timegm

#include "vitrail_http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

// The part of libcurl's interface (stable since 7.1) that is used here; numbers from curl/curl.h.
typedef void handle;
struct list;
enum {
    OPTION_WRITEDATA = 10001,
    OPTION_URL = 10002,
    OPTION_ERRORBUFFER = 10010,
    OPTION_POSTFIELDS = 10015,
    OPTION_HTTPHEADER = 10023,
    OPTION_HEADERDATA = 10029,
    OPTION_WRITEFUNCTION = 20011,
    OPTION_HEADERFUNCTION = 20079,
    OPTION_POSTFIELDSIZE_LARGE = 30120,
    OPTION_XFERINFODATA = 10057,
    OPTION_XFERINFOFUNCTION = 20219,
    OPTION_NOPROGRESS = 43,
    OPTION_FOLLOWLOCATION = 52,
    OPTION_NOSIGNAL = 99,
    OPTION_TIMEOUT_MS = 155,
    OPTION_CONNECTTIMEOUT_MS = 156,
    OPTION_PROTOCOLS = 181,
    INFO_RESPONSE_CODE = 0x200000 + 2,
    PROTOCOLS_HTTP = 1 | 2,
};

static struct {
    int (*global_init)(long);
    handle *(*init)(void);
    int (*setopt)(handle *, int, ...);
    int (*perform)(handle *);
    int (*getinfo)(handle *, int, ...);
    void (*cleanup)(handle *);
    struct list *(*append)(struct list *, const char *);
    void (*free_list)(struct list *);
    const char *(*strerror)(int);
    char problem[256];
    int ready;
} curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    static const char *const names[] = {
        "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4", "libcurl.so", "libcurl.4.dylib"};
    void *library = NULL;
    for (size_t index = 0; library == NULL && index < sizeof names / sizeof *names; index++)
        library = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *error = dlerror();
        snprintf(curl.problem, sizeof curl.problem, "%s", error ? error : "not found");
        return;
    }
    *(void **)&curl.global_init = dlsym(library, "curl_global_init");
    *(void **)&curl.init = dlsym(library, "curl_easy_init");
    *(void **)&curl.setopt = dlsym(library, "curl_easy_setopt");
    *(void **)&curl.perform = dlsym(library, "curl_easy_perform");
    *(void **)&curl.getinfo = dlsym(library, "curl_easy_getinfo");
    *(void **)&curl.cleanup = dlsym(library, "curl_easy_cleanup");
    *(void **)&curl.append = dlsym(library, "curl_slist_append");
    *(void **)&curl.free_list = dlsym(library, "curl_slist_free_all");
    *(void **)&curl.strerror = dlsym(library, "curl_easy_strerror");
    if (!curl.global_init || !curl.init || !curl.setopt || !curl.perform || !curl.getinfo || !curl.cleanup ||
        !curl.append || !curl.free_list || !curl.strerror) {
        snprintf(curl.problem, sizeof curl.problem, "libcurl lacks a function");
        return;
    }
    curl.ready = curl.global_init(3) == 0;
    if (!curl.ready) snprintf(curl.problem, sizeof curl.problem, "libcurl does not start");
}

int vitrail_http_available(char *message, size_t capacity) {
    pthread_once(&once, load);
    if (capacity > 0) snprintf(message, capacity, "%s", curl.problem);
    return curl.ready;
}

struct sink {
    char *bytes;
    size_t length, capacity, limit;
    double retry_after;
    int too_large;
};

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
    struct sink *sink = context;
    size_t length = size * count;
    if (length > sink->limit - sink->length) {
        sink->too_large = 1;
        return 0;
    }
    if (sink->length + length + 1 > sink->capacity) {
        size_t capacity = (sink->length + length + 1) * 2;
        char *grown = realloc(sink->bytes, capacity);
        if (grown == NULL) return 0;
        sink->bytes = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->bytes + sink->length, bytes, length);
    sink->length += length;
    sink->bytes[sink->length] = 0;
    return length;
}

static size_t receive_header(char *bytes, size_t size, size_t count, void *context) {
    static const char name[] = "retry-after:";
    struct sink *sink = context;
    size_t length = size * count;
    char text[64];
    if (length > sizeof name && length < sizeof text && strncasecmp(bytes, name, sizeof name - 1) == 0) {
        memcpy(text, bytes + sizeof name - 1, length - (sizeof name - 1));
        text[length - (sizeof name - 1)] = 0;
        char *end;
        double seconds = strtod(text, &end);
        if (end != text && seconds >= 0) sink->retry_after = seconds;
        // Or a date, as "Wed, 21 Oct 2015 07:28:00 GMT".
        struct tm date = {0};
        if (end == text && strptime(text, " %a, %d %b %Y %H:%M:%S GMT", &date) != NULL) {
            double left = difftime(timegm(&date), time(NULL));
            sink->retry_after = left > 0 ? left : 0;
        }
    }
    return length;
}

// Asked by libcurl about once a second, and whenever something comes; other than 0 ends the transfer.
static int asked_to_stop(void *context, long long total, long long now, long long up_total, long long up_now) {
    (void)total, (void)now, (void)up_total, (void)up_now;
    const vitrail_http_stop *stop = context;
    return stop->is_asked != NULL && stop->is_asked(stop->context);
}

int vitrail_http_post(
    const char *url, const char *const *headers, size_t header_count, const char *body, size_t length,
    long timeout_milliseconds, long connect_milliseconds, size_t limit, vitrail_http_stop stop,
    vitrail_http_response *response) {
    memset(response, 0, sizeof *response);
    response->retry_after = -1;
    if (!vitrail_http_available(response->message, sizeof response->message)) return -1;
    handle *easy = curl.init();
    struct sink sink = {malloc(1), 0, 1, limit, -1, 0};
    struct list *list = NULL;
    int complete = easy != NULL && sink.bytes != NULL;
    for (size_t index = 0; complete && index < header_count; index++) {
        struct list *grown = curl.append(list, headers[index]);
        if (grown == NULL) complete = 0;
        else list = grown;
    }
    if (!complete) {
        snprintf(response->message, sizeof response->message, "out of memory");
        if (easy != NULL) curl.cleanup(easy);
        curl.free_list(list);
        free(sink.bytes);
        return -1;
    }
    sink.bytes[0] = 0;
    char error[256] = "";
    curl.setopt(easy, OPTION_URL, url);
    curl.setopt(easy, OPTION_NOSIGNAL, 1L);
    curl.setopt(easy, OPTION_PROTOCOLS, (long)PROTOCOLS_HTTP);
    curl.setopt(easy, OPTION_FOLLOWLOCATION, 0L);
    curl.setopt(easy, OPTION_POSTFIELDS, body);
    curl.setopt(easy, OPTION_POSTFIELDSIZE_LARGE, (long long)length);
    curl.setopt(easy, OPTION_HTTPHEADER, list);
    curl.setopt(easy, OPTION_TIMEOUT_MS, timeout_milliseconds);
    curl.setopt(easy, OPTION_CONNECTTIMEOUT_MS, connect_milliseconds);
    curl.setopt(easy, OPTION_WRITEFUNCTION, receive);
    curl.setopt(easy, OPTION_WRITEDATA, &sink);
    curl.setopt(easy, OPTION_HEADERFUNCTION, receive_header);
    curl.setopt(easy, OPTION_HEADERDATA, &sink);
    curl.setopt(easy, OPTION_ERRORBUFFER, error);
    curl.setopt(easy, OPTION_NOPROGRESS, 0L);
    curl.setopt(easy, OPTION_XFERINFOFUNCTION, asked_to_stop);
    curl.setopt(easy, OPTION_XFERINFODATA, &stop);
    response->failure = curl.perform(easy);
    if (sink.too_large)
        snprintf(response->message, sizeof response->message, "the answer is larger than %zu MB", limit >> 20);
    else if (response->failure != 0)
        snprintf(
            response->message, sizeof response->message, "%s", error[0] ? error : curl.strerror(response->failure));
    curl.getinfo(easy, INFO_RESPONSE_CODE, &response->status);
    curl.cleanup(easy);
    curl.free_list(list);
    response->body = sink.bytes;
    response->length = sink.length;
    response->retry_after = sink.retry_after;
    return 0;
}

void vitrail_http_free(vitrail_http_response *response) {
    free(response->body);
    response->body = NULL;
}
