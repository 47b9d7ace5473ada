/* What a `tokctl get` cannot do without: connect to a Unix socket, write a request, read the answer, print it.
 * Usage: floor SOCKET ANSWER_BYTES. The request is the preamble and the frame of a `get`, in size. */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_BYTES 64
#define ANSWER_BYTES_MAX 65536

int main(int argc, char **argv) {
    static char request[REQUEST_BYTES], answer[ANSWER_BYTES_MAX];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 3 || strlen(argv[1]) >= sizeof address.sun_path) return 2;
    strcpy(address.sun_path, argv[1]);
    size_t wanted = (size_t)atol(argv[2]);
    if (wanted > sizeof answer) return 2;

    int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (agent < 0 || connect(agent, (struct sockaddr *)&address, sizeof address) != 0) return 9;
    if (write(agent, request, sizeof request) != sizeof request) return 1;
    size_t read_bytes = 0;
    while (read_bytes < wanted) {
        ssize_t more = read(agent, answer + read_bytes, wanted - read_bytes);
        if (more <= 0) return 1;
        read_bytes += (size_t)more;
    }
    return write(STDOUT_FILENO, answer, read_bytes) == (ssize_t)read_bytes ? 0 : 1;
}
