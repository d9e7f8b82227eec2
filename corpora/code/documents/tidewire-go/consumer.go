// Package tidewire consumes queues through the HTTP gateway (tidegate).
package tidewire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	leaseFor     = 60 * time.Second // longer than the Python client's: the gateway adds a hop
	renewEvery   = leaseFor / 3
	longPollFor  = 15 * time.Second
	batchSize    = 8
	workers      = 4
	pauseAfter   = 5 // consecutive gateway failures
	pauseFor     = 30 * time.Second
	settleWithin = 3 * time.Second
)

// ErrPermanent tells the consumer to bury the message instead of retrying it.
var ErrPermanent = errors.New("tidewire: permanent failure")

// Message is one leased message as the gateway hands it out.
type Message struct {
	ID, Receipt, Type, TraceID string
	Version, Attempt           int
	Body                       json.RawMessage
}

// Handler processes one message; its context ends when the lease cannot be renewed.
type Handler func(ctx context.Context, m Message) error

// Consumer leases batches from one queue and feeds them to a fixed pool of workers.
type Consumer struct {
	BaseURL, Queue, Token string
	HTTP                  *http.Client
	Handle                Handler
}

// Run polls until ctx ends; after five failures in a row it pauses for half a minute.
func (c *Consumer) Run(ctx context.Context) error {
	failures := 0
	for ctx.Err() == nil {
		batch, err := c.lease(ctx)
		if err != nil {
			if failures++; failures >= pauseAfter {
				failures = 0
				sleep(ctx, pauseFor)
			}
			continue
		}
		failures = 0
		slots := make(chan struct{}, workers)
		var wg sync.WaitGroup
		for _, m := range batch {
			wg.Add(1)
			slots <- struct{}{}
			go func(m Message) {
				defer func() { <-slots; wg.Done() }()
				c.process(ctx, m)
			}(m)
		}
		wg.Wait()
	}
	return ctx.Err()
}

// process runs the handler while a second goroutine keeps the lease alive.
func (c *Consumer) process(parent context.Context, m Message) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	go c.keepAlive(ctx, cancel, m.Receipt)
	verb := "ack"
	if err := c.Handle(ctx, m); errors.Is(err, ErrPermanent) {
		verb = "bury"
	} else if err != nil {
		verb = "release"
	}
	// Settling must not be cut short by a shutdown, so it gets a context of its own.
	settle, done := context.WithTimeout(context.WithoutCancel(parent), settleWithin)
	defer done()
	_ = c.call(settle, http.MethodPost, "/v1/leases/"+m.Receipt+"/"+verb, nil)
}

// keepAlive renews the lease every third of its length and cancels the handler if that fails.
func (c *Consumer) keepAlive(ctx context.Context, cancel context.CancelFunc, receipt string) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if c.call(ctx, http.MethodPost, "/v1/leases/"+receipt+"/extend", nil) != nil {
				cancel()
				return
			}
		}
	}
}

func (c *Consumer) lease(ctx context.Context) (batch []Message, err error) {
	path := fmt.Sprintf("/v1/queues/%s/lease?max=%d&lease_s=%d&wait_s=%d",
		c.Queue, batchSize, int(leaseFor.Seconds()), int(longPollFor.Seconds()))
	err = c.call(ctx, http.MethodPost, path, &batch)
	return batch, err
}

// call sends one request and decodes the answer into out, if there is one.
func (c *Consumer) call(ctx context.Context, method, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.BaseURL+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s %s", resp.Header.Get("X-Tidewire-Code"), path, resp.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
