/* reflection_service.c -- answers each request of a reflection stream from the descriptors built
 * into the program. Runs in a worker's main thread.
 *
 * v1 and v1alpha are the same bytes under two names, so one codec serves both. The descriptors are
 * unpacked when somebody first asks: hardly any adapter is ever asked.
 */
#include "worker/services/reflection_service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/invariant.h"
#include "reflection_v1.pb-c.h"
#include "worker/grpc/service.h"
#include "worker/services/descriptors.h"

#define STREAMS_MAX 16
#define REQUEST_BYTES_MAX 16384 /* of names; it is sent back with the answer */
#define SERVICES_MAX 16U
#define EXTENSIONS_MAX 64U
#define SERVICE_NAME_BYTES 128

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;
#define REQUEST(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

struct reflection_service {
    struct descriptors *descriptors; /* NULL until the first request */
};

/* One answer while it is made: the parts that the response points to. */
struct answer {
    reflection_response response;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    ProtobufCBinaryData file_list[DESCRIPTORS_FILES_MAX];
    Grpc__Reflection__V1__ExtensionNumberResponse extensions;
    int32_t extension_list[EXTENSIONS_MAX];
    Grpc__Reflection__V1__ListServiceResponse services;
    Grpc__Reflection__V1__ServiceResponse service_list[SERVICES_MAX];
    Grpc__Reflection__V1__ServiceResponse *service_pointers[SERVICES_MAX];
    char service_names[SERVICES_MAX][SERVICE_NAME_BYTES];
    Grpc__Reflection__V1__ErrorResponse error;
};

static void
answer_error(struct answer *answer, grpc_status_code code, const char *message)
{
    grpc__reflection__v1__error_response__init(&answer->error);
    answer->error.error_code = (int32_t)code;
    answer->error.error_message = bytes_unconst(message);
    answer->response.message_response_case = RESPONSE(ERROR_RESPONSE);
    answer->response.error_response = &answer->error;
}

/* A file and what it imports, or that there is none. */
static void
answer_file(struct answer *answer, const struct descriptors *descriptors, size_t file)
{
    struct bytes closure[DESCRIPTORS_FILES_MAX];
    if (file == DESCRIPTORS_NONE) {
        answer_error(answer, GRPC_STATUS_NOT_FOUND, "nothing of that name here");
        return;
    }
    grpc__reflection__v1__file_descriptor_response__init(&answer->files);
    answer->files.n_file_descriptor_proto = descriptors_closure(descriptors, file, closure);
    answer->files.file_descriptor_proto = answer->file_list;
    for (size_t i = 0; i < answer->files.n_file_descriptor_proto; i++)
        answer->file_list[i] = (ProtobufCBinaryData){
            .len = closure[i].size, .data = (uint8_t *)bytes_unconst(closure[i].data)};
    answer->response.message_response_case = RESPONSE(FILE_DESCRIPTOR_RESPONSE);
    answer->response.file_descriptor_response = &answer->files;
}

static void
answer_extensions(struct answer *answer, const struct descriptors *descriptors, char *type)
{
    if (descriptors_find_symbol(descriptors, type) == DESCRIPTORS_NONE) {
        answer_error(answer, GRPC_STATUS_NOT_FOUND, "no such message here");
        return;
    }
    grpc__reflection__v1__extension_number_response__init(&answer->extensions);
    answer->extensions.base_type_name = type;
    answer->extensions.extension_number = answer->extension_list;
    answer->extensions.n_extension_number =
        descriptors_extensions(descriptors, type, answer->extension_list, EXTENSIONS_MAX);
    answer->response.message_response_case = RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE);
    answer->response.all_extension_numbers_response = &answer->extensions;
}

static void
answer_services(struct answer *answer, const struct descriptors *descriptors)
{
    const char *package;
    const char *name;
    size_t count = 0;
    while (count < SERVICES_MAX && descriptors_service(descriptors, count, &package, &name) == 0) {
        char *full = answer->service_names[count];
        (void)snprintf(full, SERVICE_NAME_BYTES, "%s.%s", package, name);
        grpc__reflection__v1__service_response__init(&answer->service_list[count]);
        answer->service_list[count].name = full;
        answer->service_pointers[count] = &answer->service_list[count];
        count++;
    }
    grpc__reflection__v1__list_service_response__init(&answer->services);
    answer->services.n_service = count;
    answer->services.service = answer->service_pointers;
    answer->response.message_response_case = RESPONSE(LIST_SERVICES_RESPONSE);
    answer->response.list_services_response = &answer->services;
}

static void
answer_request(struct answer *answer, const struct descriptors *descriptors,
               reflection_request *request)
{
    const Grpc__Reflection__V1__ExtensionRequest *extension;
    grpc__reflection__v1__server_reflection_response__init(&answer->response);
    answer->response.valid_host = request->host;
    answer->response.original_request = request;
    switch (request->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        answer_file(answer, descriptors,
                    descriptors_find_file(descriptors, request->file_by_filename));
        return;
    case REQUEST(FILE_CONTAINING_SYMBOL):
        answer_file(answer, descriptors,
                    descriptors_find_symbol(descriptors, request->file_containing_symbol));
        return;
    case REQUEST(FILE_CONTAINING_EXTENSION):
        extension = request->file_containing_extension;
        answer_file(answer, descriptors,
                    descriptors_find_extension(descriptors, extension->containing_type,
                                               extension->extension_number));
        return;
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_extensions(answer, descriptors, request->all_extension_numbers_of_type);
        return;
    case REQUEST(LIST_SERVICES):
        answer_services(answer, descriptors);
        return;
    case REQUEST(_NOT_SET):
    case _GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE:
        break;
    }
    answer_error(answer, GRPC_STATUS_INVALID_ARGUMENT, "the request asks for nothing known here");
}

static void
send_response(struct stream *stream, const reflection_response *response)
{
    size_t size = grpc__reflection__v1__server_reflection_response__get_packed_size(response);
    uint8_t *packed = malloc(size);
    if (packed == NULL) {
        stream_end(stream, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory for the answer");
        return;
    }
    (void)grpc__reflection__v1__server_reflection_response__pack(response, packed);
    stream_send(stream, (struct bytes){(const char *)packed, size});
    free(packed);
}

static int
open_descriptors(struct reflection_service *service)
{
    if (service->descriptors != NULL)
        return 0;
    return descriptors_open(&service->descriptors,
                            (struct bytes){(const char *)descriptors_set, descriptors_set_size});
}

static void
take_request(void *context, struct stream *stream, struct bytes message)
{
    struct reflection_service *service = context;
    static struct answer answer; /* too large for a stack; of use until the response is packed */
    if (message.data == NULL) {
        stream_end(stream, GRPC_STATUS_OK, "");
        return;
    }
    if (open_descriptors(service) != 0) {
        stream_end(stream, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory for the descriptors");
        return;
    }
    reflection_request *request = message.size > REQUEST_BYTES_MAX
                                      ? NULL
                                      : grpc__reflection__v1__server_reflection_request__unpack(
                                            NULL, message.size, (const uint8_t *)message.data);
    if (request == NULL) {
        stream_end(stream, GRPC_STATUS_INVALID_ARGUMENT,
                   "the message is too large, or no ServerReflectionRequest");
        return;
    }
    answer_request(&answer, service->descriptors, request);
    send_response(stream, &answer.response);
    grpc__reflection__v1__server_reflection_request__free_unpacked(request, NULL);
}

static void
add_method(struct methods *methods, struct reflection_service *service, const char *path)
{
    INVARIANT(methods->stream_count < SERVICE_STREAMS_MAX);
    methods->streams[methods->stream_count++] = (struct stream_method){
        .path = path,
        .context = service,
        .streams_max = STREAMS_MAX,
        .message = take_request,
    };
}

int
reflection_service_open(struct reflection_service **out, struct methods *methods)
{
    struct reflection_service *service = calloc(1, sizeof(*service));
    if (service == NULL)
        return -ENOMEM;
    add_method(methods, service, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    add_method(methods, service, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    *out = service;
    return 0;
}

void
reflection_service_close(struct reflection_service **sp)
{
    if (*sp == NULL)
        return;
    descriptors_close(&(*sp)->descriptors);
    free(*sp);
    *sp = NULL;
}
