// Package stock keeps how much of each item is left, in an in-process SQLite database behind database/sql's pool.
package stock

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"modernc.org/sqlite"

	"tailspan/shop/internal/catalogue"
	"tailspan/shop/internal/truthmark"
)

const (
	startLevel = 1_000_000
	// Connections is the size of the pool.
	Connections = 8
)

// Stock is the database and its pool.
type Stock struct {
	db     *sql.DB
	folder string
	// waits is the tracer of pool.acquire spans, nil when they are off.
	waits trace.Tracer
}

func init() {
	// A far side that is slow: it sleeps inside the query, where the caller can only wait.
	sqlite.MustRegisterScalarFunction("shop_sleep", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		ms, isInteger := args[0].(int64)
		if !isInteger {
			return nil, fmt.Errorf("shop_sleep takes milliseconds, got %v", args[0])
		}
		if ms > 0 {
			time.Sleep(time.Duration(ms) * time.Millisecond)
		}
		return ms, nil
	})
}

// Open makes a new database in a temporary folder.
func Open(ctx context.Context, waits trace.Tracer) (*Stock, error) {
	folder, err := os.MkdirTemp("", "shop-stock-")
	if err != nil {
		return nil, err
	}
	name := "file:" + filepath.Join(folder, "stock.db") +
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(1000)&_txlock=immediate"
	db, err := otelsql.Open("sqlite", name,
		otelsql.WithAttributes(semconv.DBSystemNameSQLite, semconv.DBNamespace("stock")),
		otelsql.WithSpanNameFormatter(spanName),
		otelsql.WithAttributesGetter(func(ctx context.Context, method otelsql.Method, query string, _ []driver.NamedValue) []attribute.KeyValue {
			return []attribute.KeyValue{semconv.DBQuerySummary(spanName(ctx, method, query))}
		}),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			OmitConnResetSession: true, OmitConnectorConnect: true, OmitConnPrepare: true, OmitRows: true, DisableErrSkip: true,
		}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(Connections)
	db.SetMaxIdleConns(Connections)
	stock := &Stock{db: db, folder: folder, waits: waits}
	return stock, stock.fill(ctx)
}

// Close removes the database.
func (s *Stock) Close() error {
	err := s.db.Close()
	if removed := os.RemoveAll(s.folder); err == nil {
		err = removed
	}
	return err
}

const (
	sqlLevel = "SELECT level FROM stock WHERE item = ? AND shop_sleep(?) >= 0"
	sqlHeld  = "SELECT COALESCE(SUM(quantity), 0) FROM holds WHERE item = ?"
	sqlTake  = "UPDATE stock SET level = level - ? WHERE item = ?"
)

var summaries = map[string]string{sqlLevel: "SELECT stock", sqlHeld: "SELECT holds", sqlTake: "UPDATE stock"}

func spanName(_ context.Context, method otelsql.Method, query string) string {
	if summary, known := summaries[query]; known {
		return summary
	}
	return string(method)
}

func (s *Stock) fill(ctx context.Context) error {
	for _, table := range []string{
		"CREATE TABLE stock (item TEXT PRIMARY KEY, level INTEGER NOT NULL)",
		"CREATE TABLE holds (item TEXT NOT NULL, quantity INTEGER NOT NULL)",
		"CREATE INDEX holds_item ON holds (item)",
	} {
		if _, err := s.db.ExecContext(ctx, table); err != nil {
			return err
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := range catalogue.Items {
		if _, err := tx.ExecContext(ctx, "INSERT INTO stock VALUES (?, ?)", fmt.Sprintf("i%d", i), startLevel); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO holds VALUES (?, ?)", fmt.Sprintf("i%d", i), i%3); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Acquire waits for a connection of the pool.
func (s *Stock) Acquire(ctx context.Context) (*sql.Conn, error) {
	if s.waits != nil {
		var wait trace.Span
		ctx, wait = s.waits.Start(ctx, "pool.acquire")
		defer wait.End()
	}
	defer truthmark.QueueWait()()
	return s.db.Conn(ctx)
}

// Hold keeps a connection busy with a report whose far side is slow.
func (s *Stock) Hold(ctx context.Context, length time.Duration) error {
	_, err := s.Count(ctx, "i0", length)
	return err
}

// Count says how much of an item is left; the far side of its query sleeps that long.
func (s *Stock) Count(ctx context.Context, item string, slow time.Duration) (int64, error) {
	conn, err := s.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var level int64
	err = conn.QueryRowContext(ctx, sqlLevel, item, slow.Milliseconds()).Scan(&level)
	return level, err
}

// Take reads the level of an item, as Count does, and beside it how many are held for others, and lowers the level.
func (s *Stock) Take(ctx context.Context, item string, quantity int32, slow time.Duration) (int64, error) {
	var level, held int64
	heldDone := make(chan error, 1)
	levelDone := make(chan error, 1)
	go func() {
		var err error
		held, err = s.held(ctx, item)
		heldDone <- err
	}()
	go func() {
		var err error
		level, err = s.Count(ctx, item, slow)
		levelDone <- err
	}()
	if err := errors.Join(<-levelDone, <-heldDone); err != nil {
		return 0, err
	}
	conn, err := s.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, sqlTake, quantity, item)
	return level - held - int64(quantity), err
}

func (s *Stock) held(ctx context.Context, item string) (value int64, err error) {
	conn, err := s.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	err = conn.QueryRowContext(ctx, sqlHeld, item).Scan(&value)
	return value, err
}
