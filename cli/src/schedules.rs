//! `schedule`: requests that a coordinator makes again whenever they are due.

use std::time::{SystemTime, UNIX_EPOCH};

use proto::job::Priority;
use proto::schedule::{Hook, Rule, Told};
use proto::wire::create_schedule_request::Piece;
use proto::wire::{
    CreateScheduleRequest, DeleteScheduleRequest, GetScheduleRequest, ListSchedulesRequest, PauseScheduleRequest,
    ResumeScheduleRequest, RunScheduleRequest, Schedule, ScheduleHeader,
};
use serde_json::json;

use crate::args::{CreateArgs, ListArgs, ScheduleArgs, ScheduleCommand};
use crate::client::Client;
use crate::exit::Exit;
use crate::jobs::asking;
use crate::{attach, input, print, tables};

/// Asks the coordinator's `ScheduleService` with a request, until one answers.
macro_rules! ask {
    ($client:expr, $method:ident, $request:expr) => {
        $client.ask_one(|coordinators| {
            let (mut schedules, request) = (coordinators.schedules(), $request);
            async move { schedules.$method(request).await }
        })
    };
}

/// Does what is to be done with schedules.
pub fn schedule(command: ScheduleCommand) -> anyhow::Result<Exit> {
    match command {
        ScheduleCommand::Create(args) => create(&args)?,
        ScheduleCommand::List(args) => list(&args)?,
        ScheduleCommand::Show(args) => show(&args)?,
        ScheduleCommand::Run(args) => run(&args)?,
        ScheduleCommand::Pause(args) => done(&args, async |client, name| {
            ask!(client, pause_schedule, PauseScheduleRequest { name: name.clone() }).await.map(drop)
        })?,
        ScheduleCommand::Resume(args) => done(&args, async |client, name| {
            ask!(client, resume_schedule, ResumeScheduleRequest { name: name.clone() }).await.map(drop)
        })?,
        ScheduleCommand::Delete(args) => {
            asking(&args.at, async |client| {
                let request = || DeleteScheduleRequest { name: args.name.clone() };
                ask!(client, delete_schedule, request()).await?;
                if args.json { print(&format!("{}\n", json!({"name": args.name, "deleted": true}))) } else { Ok(()) }
            })?;
        }
    }
    Ok(Exit::Complete)
}

fn create(args: &CreateArgs) -> anyhow::Result<()> {
    let written = input::read_written(&args.request)?;
    let name = args.name.clone().unwrap_or_else(|| written.name.clone());
    let hook = args.webhook.clone().zip(args.webhook_profile.clone()).map(|(url, profile)| Hook { url, profile });
    let (overlap, missed, priority) = (args.overlap, args.missed, Priority::try_from(args.priority)?);
    let rule = Rule { cron: args.cron.clone(), zone: args.zone.clone(), overlap, missed, priority, hook };
    let (request, files) = attach::with_files(written)?;
    let request_json = attach::json(&request)?;
    let header = ScheduleHeader { name, request_json, rule: Some(rule.into()), replace: args.replace };
    let pieces = std::iter::once(Piece::Header(header)).chain(attach::chunks(&files).map(Piece::Attachment));
    let pieces: Vec<_> = pieces.map(|piece| CreateScheduleRequest { piece: Some(piece) }).collect();
    asking(&args.at, async |client| {
        let answer = ask!(client, create_schedule, tokio_stream::iter(pieces.clone())).await?;
        let told = answer.into_inner().schedule.map(Told::try_from).transpose()?;
        tell(told.as_slice(), args.json, tables::schedules)
    })
}

fn list(args: &ListArgs) -> anyhow::Result<()> {
    asking(&args.at, async |client| {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = || ListSchedulesRequest { page_token: page_token.clone() };
            let page = ask!(client, list_schedules, request()).await?.into_inner();
            all.extend(page.schedules.into_iter().map(Told::try_from).collect::<Result<Vec<_>, _>>()?);
            if page.next_page_token.is_empty() {
                return tell(&all, args.json, tables::schedules);
            }
            page_token = page.next_page_token;
        }
    })
}

fn show(args: &ScheduleArgs) -> anyhow::Result<()> {
    asking(&args.at, async |client| {
        tell(found(&client, &args.name).await?.as_slice(), args.json, tables::schedule_firings)
    })
}

/// A schedule by its name.
async fn found(client: &Client, name: &str) -> anyhow::Result<Option<Told>> {
    let request = || GetScheduleRequest { name: name.to_owned() };
    let schedule: Option<Schedule> = ask!(client, get_schedule, request()).await?.into_inner().schedule;
    Ok(schedule.map(Told::try_from).transpose()?)
}

fn run(args: &ScheduleArgs) -> anyhow::Result<()> {
    // The same however often it is asked: an answer may be lost.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let asked = format!("{}-{:x}", std::process::id(), since.as_nanos());
    asking(&args.at, async |client| {
        let request = || RunScheduleRequest { name: args.name.clone(), asked: asked.clone() };
        let job = ask!(client, run_schedule, request()).await?.into_inner().job_id;
        let job = (!job.is_empty()).then_some(job);
        if args.json {
            return print(&format!("{}\n", json!({"name": args.name, "job": job})));
        }
        print(&format!("{}\n", job.as_deref().unwrap_or("it waits for the last run to end")))
    })
}

/// Does something to a schedule, and tells how it is then.
fn done(args: &ScheduleArgs, what: impl AsyncFnOnce(&Client, &String) -> anyhow::Result<()>) -> anyhow::Result<()> {
    asking(&args.at, async |client| {
        what(&client, &args.name).await?;
        tell(found(&client, &args.name).await?.as_slice(), args.json, tables::schedules)
    })
}

/// Prints schedules, for programs a line each.
fn tell(told: &[Told], json: bool, table: impl Fn(&[Told]) -> String) -> anyhow::Result<()> {
    if !json {
        return print(&table(told));
    }
    let lines = told.iter().map(|schedule| Ok(format!("{}\n", serde_json::to_string(schedule)?)));
    print(&lines.collect::<serde_json::Result<String>>()?)
}
