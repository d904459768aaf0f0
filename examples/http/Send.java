import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Set;

/**
 * Sends a text with Java's own client (11 or newer): java Send.java NUMBER TEXT KEY, with XINSHI_URL
 * and XINSHI_KEY. What brought no answer, 429 and 503 are repeated; the key makes it one message.
 */
public final class Send {
    private static final Set<Integer> AGAIN = Set.of(429, 503);

    public static void main(String[] words) throws InterruptedException {
        String body = "{\"to\": " + quoted(words[0]) + ", \"text\": " + quoted(words[1]) + "}";
        HttpClient client =
                HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .connectTimeout(Duration.ofSeconds(5))
                        .build();
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(System.getenv("XINSHI_URL") + "/v1/messages"))
                        .timeout(Duration.ofSeconds(10))
                        .header("Authorization", "Bearer " + System.getenv("XINSHI_KEY"))
                        .header("Content-Type", "application/json")
                        .header("Idempotency-Key", words[2])
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build();
        String problem = "";
        for (int attempt = 0; attempt < 6; attempt++) {
            long wait = 500L << attempt;
            try {
                var answer = client.send(request, BodyHandlers.ofString());
                if (answer.statusCode() == 202) {
                    System.out.println(answer.body());
                    return;
                }
                problem = answer.body();
                if (!AGAIN.contains(answer.statusCode())) {
                    break;
                }
                wait = 1000 * answer.headers().firstValueAsLong("Retry-After").orElse(wait / 1000);
            } catch (IOException error) {
                problem = error.toString();
            }
            Thread.sleep(Math.min(wait, 30_000));
        }
        System.err.println(problem);
        System.exit(1);
    }

    private static String quoted(String text) {
        StringBuilder written = new StringBuilder("\"");
        for (char one : text.toCharArray()) {
            if (one == '"' || one == '\\' || one < ' ') {
                written.append(String.format("\\u%04x", (int) one));
            } else {
                written.append(one);
            }
        }
        return written.append('"').toString();
    }
}
