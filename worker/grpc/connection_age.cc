/* connection_age.cc -- an event engine that keeps the timers of connections' ages to itself.
 *
 * Runs in a worker, in threads of gRPC's; connection_age_reach() in those of its callers. It is C++
 * since gRPC's event engine is a class. Everything but timers of that length goes on to the engine
 * that gRPC would have had. If another release of gRPC waits for ages in another way, no timer
 * comes by here, and a drain has nothing to begin with but the server's shutdown.
 */
#include "worker/grpc/connection_age.h"

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace
{

using grpc_event_engine::experimental::EndpointConfig;
using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;

/* gRPC has no other timer nearly as long. */
constexpr std::chrono::milliseconds age_min(CONNECTION_AGE_MS / 10 * 8);

/* The timers that are kept, by number. */
class Ages
{
  public:
    intptr_t
    add(EventEngine::Closure *closure)
    {
        std::lock_guard<std::mutex> guard(mutex);
        waiting[++last] = closure;
        return last;
    }

    bool
    remove(intptr_t number)
    {
        std::lock_guard<std::mutex> guard(mutex);
        return waiting.erase(number) > 0;
    }

    /* Runs them outside the lock: what they do may cancel others. */
    void
    run_all()
    {
        std::map<intptr_t, EventEngine::Closure *> due;
        {
            std::lock_guard<std::mutex> guard(mutex);
            due.swap(waiting);
        }
        for (const auto &entry : due)
            entry.second->Run();
    }

  private:
    std::mutex mutex;
    std::map<intptr_t, EventEngine::Closure *> waiting;
    intptr_t last = 0;
};

/* Both live as long as the process: gRPC's threads use them to its end. */
Ages *ages;
EventEngine *grpc_engine;

class Engine : public EventEngine
{
  public:
    absl::StatusOr<std::unique_ptr<Listener>>
    CreateListener(Listener::AcceptCallback on_accept,
                   absl::AnyInvocable<void(absl::Status)> on_shutdown, const EndpointConfig &config,
                   std::unique_ptr<MemoryAllocatorFactory> factory) override
    {
        return grpc_engine->CreateListener(std::move(on_accept), std::move(on_shutdown), config,
                                           std::move(factory));
    }

    ConnectionHandle
    Connect(OnConnectCallback on_connect, const ResolvedAddress &address,
            const EndpointConfig &config, MemoryAllocator allocator, Duration timeout) override
    {
        return grpc_engine->Connect(std::move(on_connect), address, config, std::move(allocator),
                                    timeout);
    }

    bool
    CancelConnect(ConnectionHandle handle) override
    {
        return grpc_engine->CancelConnect(handle);
    }

    bool
    IsWorkerThread() override
    {
        return grpc_engine->IsWorkerThread();
    }

    std::unique_ptr<DNSResolver>
    GetDNSResolver(const DNSResolver::ResolverOptions &options) override
    {
        return grpc_engine->GetDNSResolver(options);
    }

    void
    Run(Closure *closure) override
    {
        grpc_engine->Run(closure);
    }

    void
    Run(absl::AnyInvocable<void()> closure) override
    {
        grpc_engine->Run(std::move(closure));
    }

    TaskHandle
    RunAfter(Duration when, Closure *closure) override
    {
        if (when < age_min)
            return grpc_engine->RunAfter(when, closure);
        return {own_key(), ages->add(closure)};
    }

    TaskHandle
    RunAfter(Duration when, absl::AnyInvocable<void()> closure) override
    {
        return grpc_engine->RunAfter(when, std::move(closure));
    }

    bool
    Cancel(TaskHandle handle) override
    {
        if (handle.keys[0] == own_key())
            return ages->remove(handle.keys[1]);
        return grpc_engine->Cancel(handle);
    }

  private:
    /* Marks our handles: the engine's own begin with the address of something else. */
    static intptr_t
    own_key()
    {
        return reinterpret_cast<intptr_t>(ages);
    }
};

} // namespace

void
connection_age_prepare(void)
{
    ages = new Ages;
    grpc_engine = grpc_event_engine::experimental::CreateEventEngine().release();
    grpc_event_engine::experimental::SetEventEngineFactory(
        [] { return std::make_unique<Engine>(); });
}

void
connection_age_reach(void)
{
    ages->run_all();
}
